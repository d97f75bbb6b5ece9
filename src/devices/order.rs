//! The order in which a stage visits the devices.

use super::fit::distance;

/// An order, and the ways of the stage in µm.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The devices in the order of the visits.
    pub order: Vec<usize>,
    /// The way in the order of the list.
    pub before_um: f64,
    /// The way in the new order.
    pub after_um: f64,
}

/// From the first device, always to the nearest one that is left. If the way would not become shorter, the order stays.
#[must_use]
pub fn nearest(places: &[[f64; 2]]) -> Order {
    let as_given: Vec<usize> = (0..places.len()).collect();
    let before_um = way_um(places, &as_given);
    let mut left = as_given.clone();
    let mut order = Vec::with_capacity(places.len());
    let mut next = (!left.is_empty()).then_some(0);
    while let Some(index) = next {
        // `remove` keeps the order of the list among devices that are equally near.
        let device = left.remove(index);
        order.push(device);
        let far = |index: &usize| distance(places[device], places[left[*index]]);
        next = (0..left.len()).min_by(|a, b| far(a).total_cmp(&far(b)));
    }
    let after_um = way_um(places, &order);
    if after_um < before_um {
        Order { order, before_um, after_um }
    } else {
        Order { order: as_given, before_um, after_um: before_um }
    }
}

/// The way through the devices in an order, in µm.
#[must_use]
pub fn way_um(places: &[[f64; 2]], order: &[usize]) -> f64 {
    order.windows(2).map(|pair| distance(places[pair[0]], places[pair[1]])).sum()
}
