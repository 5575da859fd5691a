//! Reports of the auditor.

use store::{REPORTS_KEPT, ReportRow, Store};

use crate::engines::NOW;

pub fn report(number: u16, environment: &str, started_at: i64) -> ReportRow {
    let mut digest = vec![0; 30];
    digest.extend(number.to_be_bytes());
    ReportRow {
        digest,
        environment: environment.to_owned(),
        started_at,
        bytes: vec![0, 255, 159, 146, 150],
        verdicts: r#"{"A1":"pass"}"#.to_owned(),
        passed: 1,
        failed: 2,
        not_proven: i64::from(number),
    }
}

pub async fn a_report_is_kept_once_byte_for_byte(store: &Store) {
    let first = report(1, "production", NOW);
    assert!(store.insert_report(&first).await.unwrap());
    let forged = ReportRow { bytes: b"{}".to_vec(), ..first.clone() };
    assert!(!store.insert_report(&forged).await.unwrap());
    assert_eq!(store.latest_report("production").await.unwrap(), Some(first.clone()));
    assert_eq!(store.latest_report_digest("production").await.unwrap(), Some(first.digest));
    assert_eq!(store.latest_report("staging").await.unwrap(), None);
    assert_eq!(store.latest_report_digest("staging").await.unwrap(), None);
}

pub async fn the_newest_of_each_environment_and_a_history_without_bytes(store: &Store) {
    for (number, environment, at) in
        [(1, "staging", 5), (2, "production", 9), (3, "production", 7), (4, "development", 1)]
    {
        assert!(store.insert_report(&report(number, environment, NOW + at)).await.unwrap());
    }
    assert_eq!(store.report_environments().await.unwrap(), ["development", "production", "staging"]);
    assert_eq!(store.latest_report("production").await.unwrap(), Some(report(2, "production", NOW + 9)));
    let history = store.report_history("production", 10).await.unwrap();
    let seen: Vec<_> = history.iter().map(|one| (one.started_at - NOW, one.not_proven)).collect();
    assert_eq!(seen, [(9, 2), (7, 3)]);
    assert_eq!(history[0].verdicts, r#"{"A1":"pass"}"#);
    assert_eq!(store.report_history("production", 1).await.unwrap().len(), 1);
}

pub async fn the_oldest_of_an_environment_go(store: &Store) {
    let kept = u16::try_from(REPORTS_KEPT).unwrap();
    store.insert_report(&report(9_999, "staging", 1)).await.unwrap();
    for number in 0..kept + 2 {
        store.insert_report(&report(number, "production", NOW + i64::from(number))).await.unwrap();
    }
    let history = store.report_history("production", REPORTS_KEPT * 2).await.unwrap();
    assert_eq!(history.len() as u64, REPORTS_KEPT);
    assert_eq!(history.last().unwrap().started_at, NOW + 2);
    assert!(store.latest_report("staging").await.unwrap().is_some(), "another environment's stays");
}
