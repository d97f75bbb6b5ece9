//! The routes of the runs half.

use crate::sidecar::api::Routes;
use crate::sidecar::live::power;
use crate::sidecar::runs::{self, archive, begin, events, figures, recipes, steer, traces};
use crate::sidecar::{metrics, overview};

pub(super) fn runs(routes: Routes) -> Routes {
    routes
        .section("Service")
        .get("/metrics", metrics::metrics, "get_metrics", "Metrics in Prometheus' text format")
        .section("Instrument")
        .look(
            "/instrument",
            overview::instrument,
            "get_instrument",
            "State of the instrument. Values older than 2 s are read again, but not for the read-only token",
        )
        .look(
            "/power",
            power::events,
            "watch_power",
            "Live power, as server-sent events: the frames of `/ws/power`",
        )
        .post("/off", steer::off, "turn_everything_off", "The emergency stop: all lasers off")
        .section("Recipes")
        .get(
            "/recipes",
            recipes::list,
            "list_recipes",
            "The recipes in the folders that the configuration lists",
        )
        .get("/recipes/text", recipes::text, "get_recipe_text", "The text of a recipe")
        .post("/check", begin::check, "check_recipe", "Checks a recipe; returns errors and warnings")
        .post("/plan", begin::plan, "plan_recipe", "All operations of a recipe, with times, points and bytes")
        .section("Runs")
        .look("/runs", runs::list, "list_runs", "A page of runs, newest first")
        .post("/runs", begin::begin, "start_run", "Starts a run")
        .look("/runs/current", runs::current, "get_current_run", "The active run")
        .look("/runs/{id}", runs::show, "get_run", "The status of a run")
        .look("/runs/{id}/events", events::stream, "watch_run", "The events of a run, as server-sent events")
        .post("/runs/{id}/pause", steer::pause, "pause_run", "Pauses the run before its next operation")
        .post("/runs/{id}/resume", steer::resume, "resume_run", "Continues a paused run")
        .post(
            "/runs/{id}/abort",
            steer::abort,
            "abort_run",
            "Ends the run: the sweep is aborted, `finally` runs unless `now` is true, lasers turn off",
        )
        .post("/runs/{id}/answer", steer::answer, "answer_question", "Answers the run's open question")
        .section("Results")
        .look(
            "/runs/{id}/archive",
            archive::download,
            "download_run",
            "All finished files of a run as a zip archive",
        )
        .look("/runs/{id}/report", traces::report, "get_run_report", "The report of a run, as a page")
        .look(
            "/runs/{id}/figures",
            figures::list,
            "list_figures",
            "The figures of a run with their limits and verdicts, and the yield of each figure",
        )
        .look(
            "/runs/{id}/wafer",
            figures::wafer,
            "get_wafer_maps",
            "The wafer maps of a run as SVG, by verdict or by the values of a figure",
        )
        .look("/runs/{id}/traces", traces::list, "list_traces", "The traces of a run, in order")
        .look(
            "/runs/{id}/traces/{trace}",
            traces::file,
            "get_trace",
            "A trace, in the format that the suffix or `Accept` selects",
        )
        .look(
            "/runs/{id}/traces/{trace}/view",
            traces::view,
            "get_trace_view",
            "The lowest and highest values in pieces of a window",
        )
}
