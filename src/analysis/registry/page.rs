//! The table as a page of the documentation.

use super::CHAPTERS;

const HEAD: &str = "\
# Figures of merit

This page defines the figures of merit of traces. `ctp10 analyze` and the operation `analyze` of recipes compute them.
The figures of the chapter \"Several traces\" need several results, so `ctp10 analyze` does not compute them.
The page is generated from the table in `src/analysis/registry`.

Each figure has a name with its unit, a value, a window and a definition. A figure also has:

- **`nm`**: where on the wavelength axis the figure belongs.
- **`of`**: the dip, peak, pair of resonances or channel that the figure belongs to, counted from the shortest wavelength.
- **`error`**: the standard error. For fitted resonances it includes the fit repeated with half and with double the window.
- **`bound`**: `≥` or `≤` when the true value is only known to be beyond the value. The reason is in most cases the floor.
- **`not_measured`**: the reason why there is no value. A bound that is known nevertheless is in `bound_value`.

## Rules for all figures

- Wavelengths are vacuum wavelengths in nm. Transmissions are in dB and negative for a loss. Insertion losses are positive.
- Dips and peaks are raw samples. Fitted centres have the name `resonance_nm`.
- Between two samples a trace is a straight line in dB.
- Samples that are NaN, infinite or beyond ±1000 dB have no value, and are never used. Their number is reported.
- Beside such samples, and in a band with them, a worst case (highest loss, ripple, depth of a dip) is a bound. A width whose level is
  crossed among them is not measured.
- A file may lack rows. A step of the wavelengths that is more than 1.7 times the usual step beside it is a gap, as if its samples were
  NaN. A change from a fine to a coarse step is no gap. Wavelengths that vary more by themselves need wider steps for a gap.
- Wavelengths may rise or fall. Wavelengths that are not sorted, or occur twice, are refused.
- The floor is the stated one. Without a stated floor it is the lowest value of the whole trace, if at least three samples have it.
- A dip or peak needs a prominence of 3 dB and a distance of 0.5 nm from others of its kind, unless other values are given.
- If no distance is given and all lines together are an even comb that is denser, the distance is about half of their spacing.
- A warning names the number of lines that only the distance excludes. If no distance is given and such lines are in at least a quarter of
  the gaps between the others, the figures of a comb are not measured.
- The most frequent spacing of a comb is one mode. If a resonance is missing, at least three spacings, and a third of them, must be one
  mode. Otherwise a wrong line could divide the free spectral range, and the figures of the comb are not measured.
- If no prominence is given, lines below the first tenfold drop of power, in the order of power, count as noise. A warning names their number.
- Resonances are dips or peaks as stated. Without a statement they are the kind that is asked for, or the narrower kind.
- A fit needs at least five samples within the FWHM. Otherwise FWHM and Q are not measured, and their bounds are given.
- A mean of traces, a difference and a moving mean keep the mark of the floor. Where one of their traces is at its floor, the result is a
  bound. `floor_db` is the floor of the measured traces. Where the trace that is subtracted is at its floor, the difference has no value.
- Levels (`mean_db`, `dip_db`, `peak_db`, `floor_db`) have the unit of their trace: dBm for powers, dBmA for photocurrents. Differences of
  levels are in dB.
- Figures of several traces need a recipe: a fit over a loop, cut-back, the difference to a reference waveguide, and the mean of
  several sweeps in linear power. [Figures and verdicts in recipes](acceptance.md) describes them.
- The analysis smooths nothing by itself. A moving mean is an explicit step, which the result names.

In the names, `{x}` is a level in dB: `bandwidth_3db_nm`, or `bandwidth_0_5db_nm` for 0.5 dB. On the command line the level
follows an `@`: `bandwidth@3`.
";

/// How the figures of a chapter are asked for.
fn how(title: &str) -> Option<&'static str> {
    match title {
        "Channels" => Some(
            "On the command line: `--channels dwdm:100` or `--channels cwdm`. All channels count whose windows are within the\ntrace. The trace belongs to the channel in whose window its lowest transmission is highest.\n\nIn a recipe, the figures of a channel with two ports are not measured, nor is the uniformity. If channels have no port\nbecause `count` is larger, the uniformity is that of the ports, and its note names these channels.",
        ),
        "Several traces" => Some("`ctp10 analyze` does not compute these figures."),
        _ => None,
    }
}

/// The page, in Markdown.
#[must_use]
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for (title, table) in CHAPTERS {
        page += &format!("\n## {title}\n");
        if let Some(how) = how(title) {
            page += &format!("\n{how}\n");
        }
        for definition in table {
            page += &format!(
                "\n### `{}`\n\n- Unit: {}\n- Formula: {}\n- Window: {}\n- Source: {}\n",
                definition.name,
                if definition.unit == "1" { "none" } else { definition.unit },
                definition.formula,
                definition.window,
                definition.source
            );
        }
    }
    page
}
