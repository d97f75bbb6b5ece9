//! All ports of a multiplexer together.

use crate::analysis::Bound;
use crate::analysis::channels::{Channel, Grid, Port, Ports};
use crate::analysis::figure::Figure;
use crate::analysis::registry::{INSERTION_LOSS_MAX, OFFSET};

fn channels(count: usize) -> Vec<Channel> {
    Grid::Cwdm { first_nm: 1511.0, channels: count, half_width_nm: 5.0 }.channels().unwrap()
}

/// A port of this channel with this loss.
fn lit(channel: usize, loss_db: f64) -> Port {
    Port { channel: Some(channel), loss: Figure::measured(&INSERTION_LOSS_MAX, loss_db) }
}

/// The same at the floor.
fn dark(channel: usize, loss_db: f64) -> Port {
    let port = lit(channel, loss_db);
    Port { loss: port.loss.bounded(Some(Bound::AtLeast)), ..port }
}

#[test]
fn a_channel_with_two_ports_or_none_is_said_and_has_no_uniformity() {
    const TWICE: &str =
        "channel 1511 nm has 2 ports, and channel 1531 nm has no port: which trace is its port is unknown";
    const LIT: &str = "the trace is too dark in the window of channel 1511 nm, which has another port";
    let outside = Port {
        channel: None,
        loss: Figure::missing(&INSERTION_LOSS_MAX, "the window is not within the trace"),
    };
    for (count, ports, doubtful, warnings) in [
        (2, vec![lit(0, 1.0), lit(1, 2.0)], vec![], vec![]),
        (2, vec![lit(0, 1.0), lit(0, 1.0)], vec![0, 1], vec![TWICE]),
        (2, vec![lit(0, 1.0), dark(0, 60.0)], vec![1], vec![LIT, "channel 1531 nm has no port"]),
        (2, vec![dark(0, 60.0), dark(0, 60.0)], vec![0, 1], vec![TWICE]),
        (
            2,
            vec![lit(0, 1.0), lit(1, 1.0), lit(1, 1.0)],
            vec![1, 2],
            vec!["channel 1531 nm has 2 ports: which trace is its port is unknown"],
        ),
        (3, vec![lit(0, 1.0), lit(2, 2.0)], vec![], vec!["channel 1531 nm has no port"]),
        (4, vec![lit(0, 1.0), lit(2, 2.0)], vec![], vec!["the channels 1531 nm, 1571 nm have no port"]),
        (2, vec![lit(0, 1.0), outside], vec![], vec!["channel 1531 nm has no port"]),
        // The outputs of a splitter are compared in one window.
        (1, vec![lit(0, 1.0), lit(0, 2.0)], vec![], vec![]),
    ] {
        let channels = channels(count);
        let all = Ports { channels: &channels, ports: &ports };
        let found: Vec<usize> =
            (0..ports.len()).filter(|place| all.doubt(&ports[*place]).is_some()).collect();
        assert_eq!(found, doubtful, "{ports:?}");
        assert_eq!(all.warnings(), warnings);
        if !doubtful.is_empty() {
            assert_eq!(all.uniformity().not_measured.as_deref(), warnings.first().copied());
        }
        for (place, port) in ports.iter().enumerate() {
            let of_channel = port.channel.map(|own| format!("channel {}", channels[own].name));
            let mut figures = vec![Figure { of: of_channel, ..Figure::measured(&OFFSET, 0.1) }];
            figures.push(Figure::measured(&OFFSET, 0.1).of("dip 1"));
            all.take_back_doubtful(port, &mut figures);
            let is_measured: Vec<bool> = figures.iter().map(Figure::is_measured).collect();
            assert_eq!(is_measured, [!doubtful.contains(&place), true], "{port:?}");
        }
    }
}

#[test]
fn uniformity_is_the_spread_of_the_losses_and_a_bound_where_one_of_them_is() {
    let no_port = "channel 1571 nm has no port";
    for (ports, spread, bound, said) in [
        (vec![lit(0, 1.0), lit(1, 2.5), lit(2, 2.0), lit(3, 1.5)], Some(1.5), None, ""),
        // Channels may be left out on purpose.
        (vec![lit(0, 1.0), lit(1, 2.5), lit(2, 2.0)], Some(1.5), None, no_port),
        (vec![lit(0, 1.0), dark(1, 2.5), lit(2, 2.0)], Some(1.5), Some(Bound::AtLeast), no_port),
        // A loss of at least 2 dB may be the highest one.
        (vec![lit(0, 1.0), dark(1, 2.0), lit(2, 2.5)], Some(1.5), Some(Bound::AtLeast), no_port),
        (vec![dark(0, 1.0), lit(1, 2.5)], None, None, "only known to be at least its value"),
        (vec![lit(0, 1.0)], None, None, "uniformity needs two ports, and there are 1"),
        (vec![], None, None, "uniformity needs two ports, and there are 0"),
        (
            vec![lit(0, 1.0), Port { channel: None, loss: Figure::missing(&INSERTION_LOSS_MAX, "") }],
            None,
            None,
            "the insertion loss of 1 port was not measured",
        ),
    ] {
        let channels = channels(4);
        let found = Ports { channels: &channels, ports: &ports }.uniformity();
        assert_eq!((found.value, found.bound), (spread, bound), "{ports:?}");
        let told = format!("{}{}", found.not_measured.unwrap_or_default(), found.notes.join(""));
        assert!(told.contains(said) && (said.is_empty() == told.is_empty()), "{told}");
    }
}
