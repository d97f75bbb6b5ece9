use chrono::Utc;
use serde_json::json;

use super::*;

fn catalogue() -> (tempfile::TempDir, Catalogue) {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::open(folder.path()).unwrap();
    put(&catalogue, &[]);
    (folder, catalogue)
}

/// Puts the batch with these items.
fn put(catalogue: &Catalogue, items: &[NewItem]) {
    catalogue.put_whole(&whole(&batch(), items)).unwrap();
}

fn whole<'a>(batch: &'a BatchRow, items: &'a [NewItem]) -> WholeBatch<'a> {
    WholeBatch { batch, items, last: None, anew: false, released: &[] }
}

fn batch() -> BatchRow {
    BatchRow {
        name: "night".to_owned(),
        file: None,
        folder: String::new(),
        settings: json!({}),
        paused: false,
        created: Utc::now(),
    }
}

fn new(number: u32) -> NewItem {
    NewItem {
        number,
        priority: 0,
        not_before: None,
        deadline: None,
        estimated_s: Some(1.5),
        bytes: Some(7),
        payload: json!({ "recipe": "a.yaml", "priority": 0 }),
    }
}

#[test]
fn what_was_told_is_there_when_the_file_is_opened_again() {
    let (folder, catalogue) = catalogue();
    put(&catalogue, &[new(1), new(2)]);
    let attempt = catalogue.begin_attempt("night", 1, Utc::now()).unwrap().unwrap();
    catalogue.set_attempt_run("night", 1, attempt, "abcdef", "20260101T000000Z_a_abcdef").unwrap();
    drop(catalogue);
    let again = Catalogue::open(folder.path()).unwrap();
    let items = again.items("night").unwrap();
    assert_eq!(items[0].state, ItemState::Running);
    assert_eq!(items[0].attempts, 1);
    assert_eq!(items[0].runs, [("abcdef".to_owned(), "20260101T000000Z_a_abcdef".to_owned())]);
    assert_eq!(items[1].state, ItemState::Queued);
    assert_eq!(items[1].bytes, Some(7));
}

#[test]
fn putting_the_items_of_a_file_again_changes_no_state_and_no_place() {
    let (_folder, catalogue) = catalogue();
    put(&catalogue, &[new(1), new(2)]);
    catalogue.set_state("night", 1, &[ItemState::Queued], ItemState::Held, Some("wait")).unwrap();
    catalogue.set_places("night", &[(2, 1, 9), (1, 2, 0)]).unwrap();
    put(&catalogue, &[new(1), new(2)]);
    let items = catalogue.items("night").unwrap();
    assert_eq!((items[0].state, items[0].place), (ItemState::Held, 2));
    assert_eq!((items[1].place, items[1].priority), (1, 9));
}

#[test]
fn a_change_that_a_state_forbids_leaves_the_item_and_says_what_it_was() {
    let (_folder, catalogue) = catalogue();
    put(&catalogue, &[new(1)]);
    catalogue.begin_attempt("night", 1, Utc::now()).unwrap();
    let was = catalogue.set_state("night", 1, &[ItemState::Queued], ItemState::Removed, None).unwrap();
    assert_eq!(was, ItemState::Running);
    assert_eq!(catalogue.items("night").unwrap()[0].state, ItemState::Running);
    let error = catalogue.set_state("night", 7, &[ItemState::Queued], ItemState::Removed, None).unwrap_err();
    assert_eq!(error.to_string(), "batch `night` has no item 7");
}

#[test]
fn a_catalogue_of_a_later_version_is_left_alone() {
    let (folder, catalogue) = catalogue();
    catalogue.connection().pragma_update(None, "user_version", 99).unwrap();
    drop(catalogue);
    let error = Catalogue::open(folder.path()).unwrap_err();
    assert!(
        error.to_string().ends_with("has version 99 of its format, but this program supports version 2"),
        "{error}"
    );
}

#[test]
fn a_run_that_was_stopped_is_gone_on_with_unless_it_was_left() {
    let (_folder, catalogue) = catalogue();
    put(&catalogue, &[new(1), new(2), new(3)]);
    for (number, attempt_ended) in [(1, "aborted"), (2, "interrupted"), (3, "failed")] {
        let attempt = catalogue.begin_attempt("night", number, Utc::now()).unwrap().unwrap();
        let folder = format!("folder{number}");
        catalogue.set_attempt_run("night", number, attempt, &format!("run{number}"), &folder).unwrap();
        let ending = AttemptEnd {
            state: ItemState::Held,
            attempt: attempt_ended.to_owned(),
            reason: None,
            again: None,
        };
        catalogue.end_attempt("night", number, attempt, &ending, Utc::now()).unwrap();
    }
    let unfinished = || -> Vec<Option<String>> {
        catalogue.items("night").unwrap().into_iter().map(|item| item.unfinished).collect()
    };
    assert_eq!(unfinished(), [Some("folder1".to_owned()), Some("folder2".to_owned()), None]);
    let release = |from: &[ItemState]| catalogue.release("night", 1, from, true).unwrap();
    assert_eq!(release(&[ItemState::Failed]), ItemState::Held);
    assert_eq!(unfinished()[0].as_deref(), Some("folder1"), "a refused release changes nothing");
    assert_eq!(release(&[ItemState::Held]), ItemState::Held);
    assert_eq!(unfinished(), [None, Some("folder2".to_owned()), None]);
    catalogue.put_whole(&WholeBatch { anew: true, ..whole(&batch(), &[]) }).unwrap();
    assert_eq!(unfinished(), [None, None, None]);
}

/// Makes the database refuse an item with this number, as a full disk might.
fn refuse_item(catalogue: &Catalogue, number: u32) {
    let refuse = format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON items WHEN NEW.number = {number}
         BEGIN SELECT RAISE(ABORT, 'refused'); END"
    );
    catalogue.connection().execute_batch(&refuse).unwrap();
}

#[test]
fn items_are_added_all_or_none() {
    let (folder, catalogue) = catalogue();
    let add = |count| catalogue.add_items("night", (0..count).map(|_| new(0)).collect());
    assert_eq!(add(2).unwrap(), [1, 2]);
    refuse_item(&catalogue, 5);
    assert!(add(3).is_err());
    let again = Catalogue::open(folder.path()).unwrap();
    assert_eq!(again.items("night").unwrap().len(), 2);
    assert_eq!(add(2).unwrap(), [3, 4]);
    assert_eq!(again.items("night").unwrap().len(), 4);
}

#[test]
fn a_batch_is_put_as_a_whole_or_not_at_all() {
    let (_folder, catalogue) = catalogue();
    put(&catalogue, &[new(1), new(2), new(3)]);
    catalogue.set_state("night", 1, &[ItemState::Queued], ItemState::Failed, Some("broken")).unwrap();
    catalogue.set_paused("night", true).unwrap();
    let states = || -> Vec<ItemState> {
        catalogue.items("night").unwrap().into_iter().map(|item| item.state).collect()
    };
    let (row, items) = (batch(), [new(1), new(2)]);
    let start = WholeBatch { last: Some(2), released: &[ItemState::Failed], ..whole(&row, &items) };
    refuse_item(&catalogue, 2);
    assert!(catalogue.put_whole(&start).is_err());
    assert!(catalogue.batch("night").unwrap().unwrap().paused, "the batch is as before");
    assert_eq!(states(), [ItemState::Failed, ItemState::Queued, ItemState::Queued]);
    catalogue.connection().execute_batch("DROP TRIGGER refuse").unwrap();
    catalogue.put_whole(&start).unwrap();
    assert!(!catalogue.batch("night").unwrap().unwrap().paused);
    assert_eq!(states(), [ItemState::Queued, ItemState::Queued, ItemState::Removed]);
}
