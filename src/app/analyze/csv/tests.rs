//! Files of other programs.

use super::read;

#[test]
fn columns_are_found_by_name_separator_and_order() {
    for (text, column) in [
        ("wavelength_nm,transmission_db\n1550,-3\n1551,\n", None),
        ("# a remark\n\n1550,-3\n1551,nan\n", None),
        ("Wavelength (nm);IL (dB)\n1550,0;-3,0\n1551,0;\n", None),
        ("\"T [dB]\"\t\"lambda [nm]\"\n-3\t1550\nNaN\t1551\n", None),
        ("time,wavelength_nm,in_db,out_db\n0,1550,-1,-3\n1,1551,-1,nan\n", Some("out_db")),
        ("time,wavelength_nm,IL (dB)\n0,1550,-3\n1,1551,\n", None),
        (",wavelength_nm,power,value,\n0,1550,5,-3,\n1,1551,5,,\n", None),
        ("wavelength_nm transmission_db\n1550 -3\n1551   nan\n", None),
        ("  1.55e3   -3.0\n  1.551e3  nan\n", None),
        ("# wavelength_nm,transmission_db,power\n1550,-3,5\n1551,NA,5\n", None),
        ("Wavelength,Transmission\nnm,dB\n1550,-3\n1551,--\n", None),
        ("sep=;\r\nWellenlänge [nm];T [dB]\r\n1550,0;\u{2212}3,0\r\n1551,0;\r\n", None),
        ("wavelength_nm,transmission_db\r1550,-3\r1551,\r", None),
        ("\"Wavelength, nm\",\"T, dB\"\n1550,-3\n1551,\n", None),
        (
            "EXFO CTP10\nOperator,Smith\nRange,1500,1600\nWavelength range,1500,1600\n\nWavelength (nm),Loss (dB)\n1550,-3\n1551,\n",
            None,
        ),
        ("[TRACE DATA]\n 1550.0000, -3.00\n 1551.0000, NaN\n", None),
        ("wavelength,1,2\n1550,-3,-4\n1551,,-4\n", Some("1")),
        ("\twavelength_nm\tvalue\n0\t1550\t-3\n1\t1551\t\n", None),
        ("x,y\n1550,-3\n1551,\n", None),
        ("power,wavelength_nm,time\n-3,1550,0\n,1551,1\n", Some("power")),
    ] {
        let table = read(text, column).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!((table.wavelengths_nm, table.levels_db[0]), (vec![1550.0, 1551.0], -3.0), "{text}");
        assert!(table.levels_db[1].is_nan(), "{text}");
    }
}

#[test]
fn a_unit_and_a_simulation_are_read_from_names_and_comments() {
    let unit = |text: &str| read(text, None).unwrap().unit;
    assert_eq!(unit("Wavelength (nm),Power (dBm)\n1550,-3\n").as_deref(), Some("dBm"));
    assert_eq!(unit("Wavelength,Power\nnm,dBm\n1550,-3\n").as_deref(), Some("dBm"));
    assert_eq!(unit("# unit of value: dBm\nwavelength_nm,value\n1550,-3\n").as_deref(), Some("dBm"));
    assert_eq!(unit("wavelength_nm,value\n1550,-3\n"), None);
    assert!(read("# SIMULATED: no light\nwavelength_nm,value\n1550,-3\n", None).unwrap().is_simulated);
}

#[test]
fn a_file_that_is_no_trace_is_refused_with_its_line() {
    for (text, column, said) in [
        ("", None, "1: the file has no rows"),
        ("wavelength_nm,transmission_db\n", None, "1: the file has no rows"),
        ("wavelength_nm\n1550\n", None, "1: `wavelength_nm` is one column"),
        ("1550,-3\n1551,deep\n", None, "2: `deep` is not a number"),
        ("1550,-3\n1551\n", None, "2: `1551` has too few columns"),
        (
            "wavelength_um,t_db\n1.55,-3\n",
            None,
            "`wavelength_um` has another unit by its name: wavelengths in nm",
        ),
        ("frequency_thz,t_db\n193,-3\n", None, "`frequency_thz` has another unit"),
        (
            "wavelength_nm,power_mw\n1550,-3\n",
            None,
            "`power_mw` has another unit by its name: transmissions in dB",
        ),
        ("wavelength_nm,a_db,b_db\n1550,-3,-4\n", Some("c_db"), "no column `c_db`; there are `a_db`, `b_db`"),
        ("1550,-3\n", Some("t"), "the file has no header"),
        (
            "wavelength_nm,time,power\n1550,0,-3\n",
            None,
            "1: it has several columns of levels: `time`, `power`; name one of them",
        ),
        (
            "wavelength_nm,in_db,out_db\n1550,-1,-3\n",
            None,
            "1: it has several columns of levels: `in_db`, `out_db`; name one of them",
        ),
        ("wavelength_nm,,\n1550,-3,\n", None, "1: it has no column of levels"),
        (
            "# decimal commas\nwavelength_nm,transmission_db\n1550,0,-3,0\n",
            None,
            "3: `1550,0,-3,0` has more than 2 columns (a comma separates columns here, not decimals)",
        ),
        ("x,y\n1550,deep\n1551,-3\n", None, "2: `deep` is not a number"),
        ("wavelength_nm,t_db\n1550;-3\n", None, "2: `1550;-3` has too few columns"),
        ("wavelength_nm,t_db\nfirst,second\n1550,-3\n", None, "2: `first`, `second` is no number"),
        ("Wavelength,T\nµm,dB\n1.55,-3\n", None, "1: the column `Wavelength µm` has another unit"),
        ("Wavelength,T\nnm,mW\n1550,3\n", None, "1: the column `T mW` has another unit"),
        ("a,b,c\n1550,-3,0\n", None, "1: it has no column `wavelength_nm`; it has `a`, `b`, `c`"),
        (
            "Wavelength 1,T 1,Wavelength 2,T 2\n1550,-3,1550,-4\n",
            None,
            "several columns of wavelengths: `Wavelength 1`, `Wavelength 2`",
        ),
        ("Operator,Smith\nPoints,2\n", None, "2: `Points` is not a number"),
        ("1550,0,-3,0\n", None, "1: `1550,0,-3,0` has more than two columns, and no header names them"),
        ("1550,-3\n1551,-3,0\n", None, "2: `1551,-3,0` has more than 2 columns"),
        (
            "wavelength_nm;t_db\n1.550;-3,1\n",
            None,
            "2: `-3,1` has another decimal mark than `1.550` before it: write a point or a comma in all numbers",
        ),
        (
            "wavelength_nm;t_db\n1549,5;-3\n1.550;-3\n",
            None,
            "3: `1.550` has another decimal mark than `1549,5`",
        ),
        ("wavelength_nm;t_db\n1.549,5;-3\n", None, "2: `1.549,5` is not a number"),
        ("wavelength_nm;t_db\n1550;-3\n1551;-3;;4\n", None, "3: `1551;-3;;4` has more than 2 columns"),
        ("wavelength_nm,t_db\n1550,\"-3\n1551,-4\n", None, "2: a quote in `1550,\"-3` is not closed"),
        (
            "wavelength_nm,transmission_db,transmission_db\n1550,-3,-4\n",
            None,
            "1: 2 columns have the name `transmission_db`",
        ),
        ("wavelength_nm,a,b,a\n1550,-3,-4,-5\n", Some("a"), "1: 2 columns have the name `a`"),
    ] {
        let error = read(text, column).unwrap_err();
        assert!(error.contains(said), "{text:?}: {error}");
    }
}
