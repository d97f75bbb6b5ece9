//! `ctp10 devices`: types only.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::numbers::not_negative;

/// `ctp10 devices`
#[derive(Debug, Clone, Args)]
pub struct DevicesArgs {
    /// The action.
    #[command(subcommand)]
    pub what: DevicesCommand,
}

/// `ctp10 devices …`
#[derive(Debug, Clone, Subcommand)]
pub enum DevicesCommand {
    /// Read the devices in a file of a layout program and write them as CSV.
    ///
    /// A CSV file with commas and the names of its columns in the first row needs no import: recipes (`in_csv`) and
    /// batches (`devices`) read it. The columns `row` and `col` are enough for a wafer map.
    Import(ImportArgs),
    /// Compute stage coordinates from the measured stage coordinates of three or more points.
    Transform(TransformArgs),
}

/// `ctp10 devices import`
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// The file: CSV, JSON, YAML, SiEPIC text, a SiEPIC test plan, or a test manifest of gdsfactory.
    pub file: PathBuf,
    /// The format. Default: found by the content of the file.
    #[arg(long, value_enum)]
    pub format: Option<DevicesFormat>,
    /// The columns, each with its field: `id=deviceID,x_um=x,gap_nm=settings.gap`. `*` adds the usual columns. Default:
    /// the usual columns of the format.
    #[arg(long, value_name = "NAME=FIELD,…", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Unit of the coordinates in the file, where the name of their column does not state it. Default: µm.
    #[arg(long, value_enum)]
    pub unit: Option<LengthUnit>,
    /// What to do with identifiers that are not unique.
    #[arg(long, value_enum, default_value_t = DuplicatesArg::Refuse)]
    pub duplicates: DuplicatesArg,
    /// Where the list is written.
    #[command(flatten)]
    pub output: ListOutputArgs,
}

/// `ctp10 devices transform`
#[derive(Debug, Clone, Args)]
pub struct TransformArgs {
    /// The list of devices, with the columns `id`, `x_um` and `y_um`.
    pub file: PathBuf,
    /// The points: `ID=X,Y` or `CHIP_X,CHIP_Y=X,Y` with stage coordinates in µm, or a CSV file with the columns `id`,
    /// `stage_x_um` and `stage_y_um`. At least three points are needed. The option may be given several times. A mark
    /// with a negative coordinate needs an equals sign: `--points=-12.5,206=10234,5521`.
    #[arg(long, required = true, num_args = 1.., value_name = "ID=X,Y|FILE")]
    pub points: Vec<String>,
    /// Largest allowed distance of a point from its computed coordinates, in µm.
    #[arg(long, value_name = "UM", default_value_t = 20.0, value_parser = not_negative)]
    pub max_residual: f64,
    /// Where the list is written.
    #[command(flatten)]
    pub output: ListOutputArgs,
}

/// The order and the file of a list.
#[derive(Debug, Clone, Args)]
pub struct ListOutputArgs {
    /// The order of the devices.
    #[arg(long, value_enum, default_value_t = OrderArg::File)]
    pub order: OrderArg,
    /// The CSV file to write. Default: standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace an existing file.
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// The format of a file with devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DevicesFormat {
    /// A table with the names of its columns in the first row.
    Csv,
    /// A list of maps, or a map of them.
    Json,
    /// A list of maps, or a map of them.
    Yaml,
    /// The text lines of SiEPIC-Tools.
    SiepicText,
    /// The YAML of a SiEPIC test plan.
    SiepicYaml,
    /// A test manifest of gdsfactory, in CSV, JSON or YAML.
    Gdsfactory,
}

/// A unit of coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LengthUnit {
    /// Nanometres.
    Nm,
    /// Micrometres.
    Um,
    /// Millimetres.
    Mm,
}

/// What to do with identifiers that are not unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DuplicatesArg {
    /// End with an error.
    Refuse,
    /// Add `_2`, `_3` and so on.
    Number,
}

/// The order of a list of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OrderArg {
    /// As in the file.
    File,
    /// From the first device always to the nearest one that is left.
    Nearest,
}
