use std::sync::Arc;

use store::{Fault, RotationRow, Store, kind};

use crate::engines::{NOW, change, told};

fn row(name: &str, revision: i64, generation: i64, state: &str) -> RotationRow {
    RotationRow {
        name: name.to_owned(),
        revision,
        generation,
        state: state.to_owned(),
        current: vec![0, 159, 146, 150],
        pending: None,
        previous: None,
        progress: "{}".to_owned(),
        report: None,
        fault: None,
        updated_at: NOW,
    }
}

pub async fn a_journal_begins_once(store: &Store) {
    assert_eq!(store.rotation("backend").await.unwrap(), None);
    assert!(store.begin_rotations(&row("backend", 1, 0, "stable")).await.unwrap());
    assert!(!store.begin_rotations(&row("backend", 9, 9, "stable")).await.unwrap());
    assert!(store.begin_rotations(&row("a", 1, 0, "stable")).await.unwrap());
    assert_eq!(store.rotation("backend").await.unwrap(), Some(row("backend", 1, 0, "stable")));
    let names: Vec<_> = store.rotations().await.unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["a", "backend"]);
}

pub async fn a_step_replaces_what_was_read(store: &Store) {
    let first = row("backend", 1, 0, "stable");
    store.begin_rotations(&first).await.unwrap();
    let second = RotationRow {
        pending: Some(vec![1]),
        previous: Some(vec![2]),
        current: vec![3],
        progress: "{\"at\":1}".to_owned(),
        report: Some("{}".to_owned()),
        fault: Some("no".to_owned()),
        updated_at: NOW + 1,
        ..row("backend", 2, 0, "prepared")
    };
    assert!(store.advance_rotation(&first, &second).await.unwrap());
    assert_eq!(store.rotation("backend").await.unwrap(), Some(second.clone()));
    // The same generation and the same word, but read before somebody else wrote.
    assert!(!store.advance_rotation(&first, &row("backend", 3, 0, "set")).await.unwrap());
    for stale in
        [row("backend", 2, 1, "prepared"), row("backend", 2, 0, "set"), row("other", 2, 0, "prepared")]
    {
        let next = RotationRow { revision: 3, generation: 1, ..stale.clone() };
        assert!(!store.advance_rotation(&stale, &next).await.unwrap(), "{stale:?}");
    }
    assert_eq!(store.rotation("backend").await.unwrap(), Some(second));
}

pub async fn generations_only_grow_and_nodes_hear_of_them(store: &Store) {
    let first = row("backend", 1, 4, "tested");
    store.begin_rotations(&first).await.unwrap();
    for backwards in
        [row("backend", 2, 3, "promoted"), row("backend", 1, 5, "promoted"), row("x", 2, 5, "set")]
    {
        let refused = store.advance_rotation(&first, &backwards).await;
        assert!(matches!(refused, Err(Fault::Conflict(_))), "{backwards:?}");
    }
    assert!(told(store, 0).await.is_empty());
    let promoted = row("backend", 2, 5, "promoted");
    assert!(store.advance_rotation(&first, &promoted).await.unwrap());
    assert!(store.advance_rotation(&promoted, &row("backend", 3, 5, "adopted")).await.unwrap());
    assert_eq!(told(store, 0).await, [change(kind::DATABASE_CREDENTIAL, "backend")]);
}

pub async fn another_credential_begins_anew_only_in_the_place_of_what_was_read(store: &Store) {
    let first = row("backend", 1, 4, "stable");
    store.begin_rotations(&first).await.unwrap();
    let anew = row("backend", 2, 0, "stable");
    let restarted = store.begin_rotation_anew(&first, &row("backend", 1, 0, "stable")).await;
    assert!(matches!(restarted, Err(Fault::Conflict(_))), "a revision that was used");
    let prepared = RotationRow { pending: Some(vec![1]), ..row("backend", 2, 4, "prepared") };
    assert!(store.advance_rotation(&first, &prepared).await.unwrap());
    assert!(!store.begin_rotation_anew(&first, &anew).await.unwrap(), "what is pending would be lost");
    assert_eq!(store.rotation("backend").await.unwrap(), Some(prepared.clone()));
    let anew = row("backend", 3, 0, "stable");
    assert!(store.begin_rotation_anew(&prepared, &anew).await.unwrap());
    assert_eq!(store.rotation("backend").await.unwrap(), Some(anew));
}

pub async fn nodes_give_signs_of_life(store: &Store) {
    store.record_node("store", "b", 1, NOW).await.unwrap();
    store.record_node("store", "a", 1, NOW - 60).await.unwrap();
    store.record_node("backend", "c", 1, NOW).await.unwrap();
    store.record_node("store", "b", 2, NOW + 1).await.unwrap();
    let seen = |rows: Vec<store::NodeCredential>| -> Vec<_> {
        rows.into_iter().map(|row| (row.node, row.generation, row.at)).collect()
    };
    let all = seen(store.nodes_since("store", NOW - 60).await.unwrap());
    assert_eq!(all, [("a".to_owned(), 1, NOW - 60), ("b".to_owned(), 2, NOW + 1)]);
    assert_eq!(seen(store.nodes_since("store", NOW).await.unwrap()), [("b".to_owned(), 2, NOW + 1)]);
}

pub async fn a_journal_is_forgotten_with_its_nodes(store: &Store) {
    store.begin_rotations(&row("backend", 1, 0, "stable")).await.unwrap();
    store.record_node("backend", "a", 1, NOW).await.unwrap();
    store.record_node("store", "a", 1, NOW).await.unwrap();
    assert!(store.forget_rotations("backend").await.unwrap());
    assert!(!store.forget_rotations("backend").await.unwrap());
    assert_eq!(store.rotation("backend").await.unwrap(), None);
    assert!(store.nodes_since("backend", 0).await.unwrap().is_empty());
    assert_eq!(store.nodes_since("store", 0).await.unwrap().len(), 1);
}

pub async fn one_of_sixteen_takes_a_step(store: &Store) {
    let first = Arc::new(row("backend", 1, 0, "stable"));
    store.begin_rotations(&first).await.unwrap();
    let tasks: Vec<_> = (0..16_u8)
        .map(|number| {
            let (store, first) = (store.clone(), Arc::clone(&first));
            tokio::spawn(async move {
                let next = RotationRow { pending: Some(vec![number]), ..row("backend", 2, 0, "prepared") };
                store.advance_rotation(&first, &next).await.unwrap().then_some(number)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        winners.extend(task.await.unwrap());
    }
    let stored = store.rotation("backend").await.unwrap().unwrap();
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(stored.pending, Some(winners));
}
