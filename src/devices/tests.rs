//! Lists of devices: what is read from the samples and what is refused, and transformations that are found again.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::fit::{Fit, FitError, Mark, distance};
use super::order::{nearest, way_um};
use super::*;
use crate::source::{Diagnostic, SourceFile};
use crate::table::Table;

fn usual() -> Chosen {
    Chosen { format: None, columns: Vec::new(), unit: None, duplicates: Duplicates::Refuse }
}

fn with_columns(columns: &str) -> Chosen {
    Chosen { columns: columns.split(',').map(|column| column.parse().unwrap()).collect(), ..usual() }
}

fn sample(name: &str) -> Arc<SourceFile> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/devices").join(name);
    Arc::new(SourceFile { name: name.to_owned(), text: std::fs::read_to_string(path).unwrap() })
}

fn text(name: &str, text: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile { name: name.to_owned(), text: text.to_owned() })
}

fn told(found: &[Diagnostic]) -> String {
    let place = |found: &Diagnostic| {
        found.place.as_ref().map(|(_, at)| format!("{}:{} ", at.line, at.column)).unwrap_or_default()
    };
    found.iter().map(|found| format!("{}{}", place(found), found.message)).collect::<Vec<_>>().join("; ")
}

#[test]
fn each_sample_is_read_as_a_list() {
    for (name, chosen, format, expected) in [
        (
            "windows.csv",
            with_columns("id=Device ID,x_um=x (nm),y_um=Y (NM),gap=Gap"),
            Format::Csv,
            "id,x_um,y_um,gap\nR1,1.0005,-2500,0.2\nR2,2,0,0.3\n",
        ),
        (
            "siepic.txt",
            with_columns("*"),
            Format::SiepicText,
            "id,x_um,y_um,polarization,design_wavelength_nm,type,pad,pad_x_um,pad_y_um,pad2,pad2_x_um,pad2_y_um\n\
             lab_ring1,81,333,TE,1550,device,G1,393,168,S1,393,268\n\
             lab_ring2,84,269,TE,1550,device,,,,,,\n\
             lab_mzi,-12.5,206,TM,1310,Device,,,,,,\n",
        ),
        (
            "siepic-plan.yaml",
            usual(),
            Format::SiepicYaml,
            "id,x_um,y_um,polarization,design_wavelength_nm,type,sequences,pad,pad_x_um,pad_y_um\n\
             ring1,81,333,TE,1550,device,wavelength_sweep;voltage_sweep,G1,393,168\n\
             ring2,84,269,TE,1550,device,,,,\n",
        ),
        (
            "gdsfactory.csv",
            usual(),
            Format::Gdsfactory,
            "id,x_um,y_um,cell,doe,measurement,analysis\n\
             ring_single_R10,0,120.5,ring_single_R10,rings,optical_spectrum;heater,fsr\n\
             straight_L100_250_0,250,0,straight_L100,cutback,optical_spectrum,\n\
             straight_L100_250_-127,250,-127,straight_L100,cutback,optical_spectrum,\n",
        ),
        (
            "gdsfactory.csv",
            with_columns(
                "id=device,x_um=ports.o1.center.0,y_um=ports.o1.center.1,orientation=ports.o1.orientation",
            ),
            Format::Gdsfactory,
            "id,x_um,y_um,orientation\n\
             ring_single_R10,-10,110.5,180.0\n\
             straight_L100_250_0,250,0,180.0\n\
             straight_L100_250_-127,250,-127,180.0\n",
        ),
        (
            "gdsfactory-labels.csv",
            with_columns("id=device,x_um=x,y_um=y,radius_um=cell_settings.radius"),
            Format::Gdsfactory,
            "id,x_um,y_um,radius_um\nring_R10_100_200,100.25,200.5,10\nring_R20_100_300,100.25,300.5,20\n",
        ),
        (
            "gdsfactory.yaml",
            usual(),
            Format::Gdsfactory,
            "id,x_um,y_um,cell,doe,measurement\n\
             ring_R10,100.25,200.5,ring_R10,rings,optical_spectrum\n\
             ring_R20,100.25,300.5,ring_R20,rings,optical_spectrum\n",
        ),
        (
            "pandas.json",
            usual(),
            Format::Gdsfactory,
            "id,x_um,y_um,cell,doe,measurement\n\
             ring_R10,100.25,200.5,ring_R10,rings,spectrum\n\
             ring_R20,100.25,300.5,ring_R20,rings,spectrum\n",
        ),
        (
            "any.json",
            with_columns("id=name,x_um=position.x,y_um=position.y,width_nm=design.0"),
            Format::Json,
            "id,x_um,y_um,width_nm\nA,1.5,-2,450\nB,10,0.25,500\n",
        ),
    ] {
        let imported =
            chosen.import(&sample(name)).unwrap_or_else(|found| panic!("{name}: {}", told(&found)));
        assert_eq!(imported.format, format, "{name}");
        let written = imported.list.to_csv().replace(",180,", ",180.0,").replace(",180\n", ",180.0\n");
        assert_eq!(written, expected, "{name}");
        let table = Table::read(&text("devices.csv", &imported.list.to_csv())).unwrap();
        assert_eq!(
            DeviceList::of_table(&table),
            Ok(imported.list),
            "{name}: a list is read as it is written"
        );
    }
}

#[test]
fn what_cannot_be_a_list_is_refused_with_its_place() {
    let header = "% X-coord, Y-coord, Polarization, wavelength, type, deviceID, params\n";
    for (name, content, expected) in [
        ("a.csv", "", "1:1 the file is empty"),
        ("a.csv", "id,x_um,y_um\n", "1:1 the file has no devices (CSV)"),
        ("a.csv", "id,x_um,y_um\nA,1\n", "2:4 this row has 2 cells, but the first row has 3"),
        ("a.csv", "id,x_um,y_um\nA,1,2,3\n", "2:7 this row has 4 cells"),
        ("a.csv", "id,x_um,y_um\nA,1,?\n", "2:5 `?` is not a number, which the column `y_um` needs"),
        ("a.csv", "id,x_um,y_um\nA,1,\n", "2:5 this device has no `y_um`"),
        ("a.csv", "id,x_um,y_um\nA,nan,inf\n", "2:3 `nan` is not a number"),
        ("a.csv", "id,x_um,y_um\nA,1,2\nB,1,2\nA,3,4\n", "4:1 the identifier `A` is already used in line 2"),
        ("a.csv", "id,x_um,y_um\nA,0,0\nB,2000000,0\n", "2:1 the devices extend over 2000 mm"),
        (
            "a.txt",
            &format!("{header}1,5,2,5,TE,1550,device,ring_1\n"),
            "2:5 the polarization `2` is a number",
        ),
        ("a.csv", "id,,y_um\nA,1,2\n", "1:4 column 2 has no name"),
        ("a.csv", "id,x,y\nA,1,2\n", "1:1 the list would have no column `x_um` and no `y_um`"),
        ("a.csv", "id,x_um,y_um,id\nA,1,2,3\n", "1:14 the file has two columns `id`"),
        (
            "a.csv",
            "id,x_um,y_um,wavelength_nm\nA,1,2,3\n",
            "column `wavelength_nm` has the same name as a trace-file",
        ),
        ("a.json", "[{\"id\": \"A\", \"x_um\": 1}, 5]", "1:26 a device must be a map, not `5`"),
        ("a.json", "[{\"id\": \"A\", \"x_um\": NaN, \"y_um\": 2}]", "1:22 `NaN` is not a number"),
        ("a.yaml", "5\n", "1:1 the file contains no devices, but `5`"),
        ("a.txt", &format!("{header}1, 2, TE, 1550\n"), "2:1 this line has 4 fields, but needs `x, y, pol"),
        ("a.txt", &format!("{header}1, 2;5, TE, 1550, device, A\n"), "2:4 `2;5` is not a number"),
        (
            "p.yaml",
            "Devices:\n  A:\n    device_id: A\n    opticalCoordinates: [1]\n",
            "4:26 `opticalCoordinates` must",
        ),
        (
            "p.yaml",
            "Devices:\n  A:\n    opticalCoordinates: [1, 2]\n    electricalCoordinates: [G, 1]\n",
            "4:29 `electricalCoordinates` must be [pad, x, y]",
        ),
    ] {
        let found = usual().import(&text(name, content)).expect_err(content);
        assert!(told(&found).starts_with(expected), "{content}: {}", told(&found));
    }
    let chosen = Chosen { unit: Some(Unit::Mm), ..with_columns("id,x_um=x (nm),y_um=y (nm)") };
    let found = chosen.import(&text("a.csv", "id,x (nm),y (nm)\nA,1,2\n")).unwrap_err();
    assert!(told(&found).contains("is in nm by its name, but `--unit` says mm"), "{}", told(&found));
}

#[test]
fn the_numbers_of_a_file_show_its_decimal_mark() {
    let both = "a file has one decimal mark: the point or the comma";
    for (content, expected) in [
        ("id;x_um;y_um\nA;1.234,5;-12\nB;1.234;0,250\n", Ok("A,1234.5,-12\nB,1234,0.25\n")),
        ("id;x_um;y_um\nA;1,234.5;-12\nB;1,234;0.250\n", Ok("A,1234.5,-12\nB,1234,0.25\n")),
        ("id;x_um;y_um\nA;12.345.678 nm;0,000\n", Ok("A,12345.678,0\n")),
        ("id\tx_um\ty_um\nA\t81,333\t0,000\nB\t1,234\t0\n", Ok("A,81.333,0\nB,1.234,0\n")),
        ("id;x_um;y_um\nA;1.5e2;1,234\n", Ok("A,150,1234\n")),
        ("sep=;\nid;x_um;y_um\nA;1,5;2\n", Ok("A,1.5,2\n")),
        // Commas between the columns: a point is the decimal mark, and a comma is refused.
        ("id,x_um,y_um\nA,1.234,2\n", Ok("A,1.234,2\n")),
        (
            "id,x_um,y_um\nA,\"1,234\",2\n",
            Err(("2:3 `1,234` is not a number", "write a decimal point instead of a comma")),
        ),
        // Other columns of numbers belong to the same file; texts stay as they are.
        ("id;x_um;y_um;gap;lot\n1.2;1.234;5;0,20;a,b\n", Ok("1.2,1234,5,0.20,\"a,b\"\n")),
        (
            "id;x_um;y_um;gap;lot\nA;1,5;2;1.234;\nB;2,5;2;7,5 um;007\n",
            Ok("A,1.5,2,1234,\nB,2.5,2,7.5 um,007\n"),
        ),
        ("id;x_um;y_um;version\nA;1,5;2;1.5\n", Ok("A,1.5,2,1.5\n")),
        (
            "id;x_um;y_um\n1.2;5;0\nB;1.234;5.678\n",
            Err((
                "3:3 `1.234` is 1.234 or 1234: no number of the file shows",
                "write one number with another count",
            )),
        ),
        (
            "id;x_um;y_um;gap\nA;1;2;1,234\n",
            Err(("2:7 `1,234` is 1234 or 1.234", "write one number with another count")),
        ),
        (
            "id;x_um;y_um\nA;1,5;0\nB;2.5;0\n",
            Err(("3:3 `2.5` has a decimal point, but `1,5` in line 2 has a decimal comma", both)),
        ),
        (
            "id;x_um;y_um;gap\nA;1,5;0;0,2\nB;2;0;0.3\n",
            Err(("3:7 `0.3` has a decimal point, but `0,2` in line 2 has a decimal comma", both)),
        ),
        (
            "id;x_um;y_um\nA;1,5;0\nB;2.34.5;0\n",
            Err(("3:3 `2.34.5` is not a number", "the numbers of this file have a decimal comma")),
        ),
    ] {
        match (usual().import(&text("a.csv", content)), expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found.list.to_csv().split_once('\n').unwrap().1, expected, "{content}");
            }
            (Err(found), Err((message, hint))) => {
                assert!(told(&found).starts_with(message), "{content}: {}", told(&found));
                assert!(found[0].hint.as_ref().unwrap().starts_with(hint), "{content}: {:?}", found[0].hint);
            }
            (found, _) => panic!("{content}: {found:?}"),
        }
    }
}

#[test]
fn a_number_in_a_cell_of_json_has_a_decimal_point() {
    let chosen = with_columns("id,x_um=at.0,y_um=at.1,gap");
    let file = text("a.csv", "id;at;gap\nA;[1.234, 5.5];0,2\n");
    assert_eq!(chosen.import(&file).unwrap().list.to_csv(), "id,x_um,y_um,gap\nA,1.234,5.5,0.2\n");
    let manifest = "cell;x;y;doe\nring;1.234,5;0\nring;2,5;0\n".replace(";0\n", ";0;d\n");
    let ids = usual().import(&text("a.csv", &manifest)).unwrap().list;
    assert_eq!(ids.ids(), ["ring_1234_0", "ring_2_0"]);
}

#[test]
fn identifiers_can_be_numbered_and_lengths_have_units() {
    let chosen = Chosen { duplicates: Duplicates::Number, unit: Some(Unit::Mm), ..usual() };
    let file = text(
        "a.csv",
        "id,x_um,y_um,design_wavelength_nm\nA,1,2 um,1.55\nA,1,2,1550 nm\nA_2,1,2,1.31um\n"
            .replace("_um", "_")
            .as_str(),
    );
    let chosen =
        Chosen { columns: with_columns("id,x_um=x_,y_um=y_,design_wavelength_nm").columns, ..chosen };
    let list = chosen.import(&file).unwrap().list;
    let expected =
        "id,x_um,y_um,design_wavelength_nm\nA,1000,2,1550\nA_3,1000,2000,1550\nA_2,1000,2000,1310\n";
    assert_eq!(list.to_csv(), expected);
}

/// A chip on a stage: mirrored or not, rotated, and somewhere.
fn on_stage([x, y]: [f64; 2], (is_mirrored, degrees, at): (bool, f64, [f64; 2])) -> [f64; 2] {
    let y = if is_mirrored { -y } else { y };
    let (sin, cos) = degrees.to_radians().sin_cos();
    [at[0] + cos * x - sin * y, at[1] + sin * x + cos * y]
}

fn marks(points: &[[f64; 2]], place: (bool, f64, [f64; 2])) -> Vec<Mark> {
    let mark = |(index, chip_um): (usize, &[f64; 2])| Mark {
        name: format!("P{index}"),
        chip_um: *chip_um,
        stage_um: on_stage(*chip_um, place),
    };
    points.iter().enumerate().map(mark).collect()
}

const CORNERS: [[f64; 2]; 4] = [[0.0, 0.0], [8000.0, 0.0], [8000.0, 5000.0], [10.0, 5100.0]];

proptest! {
    #[test]
    fn a_rigid_transformation_is_found_again(
        is_mirrored: bool,
        degrees in -180.0..180.0,
        at in [-1e5..1e5, -1e5..1e5],
        count in 3_usize..=4,
        device in [-1e4..1e4, -1e4..1e4],
        error in [-2.0..2.0, -2.0..2.0],
    ) {
        let place = (is_mirrored, degrees, at);
        let mut given = marks(&CORNERS[..count], place);
        let exact = Fit::of(&given).unwrap();
        prop_assert_eq!(exact.is_mirrored, is_mirrored);
        prop_assert!(exact.largest_um() < 1e-6 && (exact.scale - 1.0).abs() < 1e-9, "{:?}", exact);
        prop_assert!(distance(exact.apply(device), on_stage(device, place)) < 1e-6);
        // An error of a point moves the chip by no more than a few times this error, and its residual shows it.
        given[1].stage_um[0] += error[0];
        given[1].stage_um[1] += error[1];
        let fit = Fit::of(&given).unwrap();
        let size = f64::hypot(error[0], error[1]);
        prop_assert!(fit.largest_um() <= size + 1e-6);
        prop_assert!(distance(fit.apply(device), on_stage(device, place)) < 5.0 * size + 1e-6);
        prop_assert_eq!(fit.is_mirrored, is_mirrored);
    }

    #[test]
    fn the_nearest_order_visits_each_device_once_and_is_never_longer(
        places in prop::collection::vec([-1e3..1e3, -1e3..1e3], 0..30)
    ) {
        let found = nearest(&places);
        let mut all = found.order.clone();
        all.sort_unstable();
        prop_assert_eq!(all, (0..places.len()).collect::<Vec<_>>());
        prop_assert!(found.after_um <= found.before_um);
        prop_assert!((way_um(&places, &found.order) - found.after_um).abs() < 1e-9);
        prop_assert!(found.order.first().is_none_or(|first| *first == 0), "begins with the first device");
    }
}

#[test]
fn points_that_cannot_tell_how_the_chip_lies_are_refused() {
    let place = (false, 3.0, [0.0, 0.0]);
    assert_eq!(Fit::of(&marks(&CORNERS[..2], place)), Err(FitError::TooFew(2)));
    let line = [[0.0, 0.0], [100.0, 1.0], [200.0, 0.0]];
    let error = Fit::of(&marks(&line, place)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the points lie nearly on a line on the chip: they extend over 141.4 µm")
    );
    let mut same = marks(&CORNERS, place);
    same[2].chip_um = same[0].chip_um;
    assert_eq!(Fit::of(&same).unwrap_err().to_string(), "the points `P0` and `P2` are the same on the chip");
    let mut in_mm = marks(&CORNERS, place);
    in_mm.iter_mut().for_each(|mark| mark.stage_um = mark.stage_um.map(|length| length / 1e3));
    let error = Fit::of(&in_mm).unwrap_err().to_string();
    assert_eq!(error, "the stage coordinates are 0.001 times the chip coordinates: both must be in µm");
}

#[test]
fn points_name_devices_of_the_list_or_coordinates() {
    let table = Table::read(&text("d.csv", "id,x_um,y_um\nA,0,0\nB,100,0\nC,0,100\n")).unwrap();
    let list = DeviceList::of_table(&table).unwrap();
    let read = |given: &[&str]| {
        points::marks(&given.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), &list)
    };
    let found = read(&["A=5,6", "100,0=105,-6.5", "C=1e3,2"]).unwrap();
    assert_eq!(found[1], Mark { name: "100,0".into(), chip_um: [100.0, 0.0], stage_um: [105.0, -6.5] });
    for (given, expected) in [
        ("D=1,2", "the list has no device `D`"),
        ("A=1", "`A=1`: `1` must be the stage coordinates X,Y in µm"),
        ("A=1,x", "`A=1,x`: `1,x` must be"),
        ("nowhere.csv", "cannot read `nowhere.csv`"),
    ] {
        let found = read(&[given]).expect_err(given);
        assert!(told(&found).starts_with(expected), "{}", told(&found));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("points.csv");
    for (content, expected) in [
        ("id,stage_x_um,stage_y_um\nA,1,2\nB,3,4\n", Ok(2)),
        ("id,chip_x_um,chip_y_um,stage_x_um,stage_y_um\nA,,,1,2\nmark,7,8,3,4\n", Ok(2)),
        ("id,x,y\nA,1,2\n", Err("1:1 a file of points needs the columns `id`")),
        ("id,stage_x_um,stage_y_um\nA,1,2\nE,3,4\n", Err("3:1 the list has no device `E`")),
        ("id,stage_x_um,stage_y_um\nA,1,two\n", Err("2:5 `stage_y_um` must be a number, not `two`")),
    ] {
        std::fs::write(&file, content).unwrap();
        match (read(&[file.to_str().unwrap()]), expected) {
            (Ok(found), Ok(count)) => assert_eq!(found.len(), count, "{content}"),
            (Err(found), Err(expected)) => assert!(told(&found).starts_with(expected), "{}", told(&found)),
            (found, expected) => panic!("{content}: {found:?}, not {expected:?}"),
        }
    }
}
