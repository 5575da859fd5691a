use store::{Fault, MAIL_LEASE, Store};

use crate::engines::NOW;

pub async fn due_mail_is_claimed_for_the_lease(store: &Store) {
    assert!(store.due_mail(NOW, 10).await.unwrap().is_empty());
    for (id, at) in [("later", NOW + 2), ("first", NOW), ("second", NOW + 1)] {
        store.enqueue_mail(id, id.as_bytes(), at).await.unwrap();
    }
    assert!(matches!(store.enqueue_mail("first", &[], NOW).await, Err(Fault::Conflict(_))));
    let ids = async |now: i64, limit: u64| {
        let mail = store.due_mail(now, limit).await.unwrap();
        mail.into_iter().map(|mail| (mail.id, mail.attempts)).collect::<Vec<_>>()
    };
    assert_eq!(ids(NOW + 1, 10).await, [("first".to_owned(), 1), ("second".to_owned(), 1)]);
    assert!(ids(NOW + 1, 10).await.is_empty(), "claimed by somebody");
    // The claimer died; the lease ends.
    let due = ids(NOW + 1 + MAIL_LEASE, 2).await;
    assert_eq!(due, [("first".to_owned(), 2), ("second".to_owned(), 2)]);
    assert_eq!(ids(i64::MAX / 2, 10).await.len(), 3, "all wait until they are sent");
}

pub async fn failed_mail_waits_and_sent_mail_goes(store: &Store) {
    store.enqueue_mail("m", &[7; 70_000], NOW).await.unwrap();
    let mail = store.due_mail(NOW, 1).await.unwrap();
    assert_eq!(mail[0].sealed, [7; 70_000]);
    assert!(store.mail_failed("m", NOW + 30, "connection refused").await.unwrap());
    assert!(store.due_mail(NOW + 29, 1).await.unwrap().is_empty());
    assert_eq!(store.due_mail(NOW + 30, 1).await.unwrap()[0].attempts, 2);
    assert!(store.mail_sent("m").await.unwrap());
    assert!(!store.mail_sent("m").await.unwrap());
    assert!(!store.mail_failed("m", NOW, "").await.unwrap());
    assert!(store.due_mail(i64::MAX / 2, 10).await.unwrap().is_empty());
}
