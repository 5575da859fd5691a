//! Several nodes on one PostgreSQL: what one of them ends, all of them refuse.

use std::time::Duration;

use testkit::postgres::Postgres;

use crate::served::{AUDIENCE, Laid, Served};

#[tokio::test]
async fn a_session_that_one_node_ends_every_node_refuses() {
    let database = Postgres::shared().fresh_database();
    let (first, mut second) = (
        Laid::on_postgres(&database.url(), &database.password).await,
        Laid::on_postgres(&database.url(), &database.password).await,
    );
    // One issuer, two nodes: they differ in where they listen alone.
    second.edit(&format!("issuer = \"{}\"", second.issuer), &format!("issuer = \"{}\"", first.issuer));
    second.issuer.clone_from(&first.issuer);
    let permission = format!("{AUDIENCE}=read:notes");
    first.run(&["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"]).await.expect(0);
    first.run(&["role", "create", "reader", "--permission", &permission, "--default"]).await.expect(0);
    let (first, second): (Served, Served) = tokio::join!(first.start(), second.start());

    first.sign_up("ada@example.com").await;
    let token = crate::world::access_token(
        &first.log_in("ada@example.com", crate::world::PASSWORD).await.expect(200),
    );
    assert_eq!(first.notes(&token).await, 200);
    assert_eq!(second.notes(&token).await, 200, "both nodes have one key set");

    first.http.delete(&first.issuer("users/session")).bearer(&token).send().await.expect(204);
    for node in [&first, &second] {
        let mut status = 0;
        for _ in 0..100 {
            status = node.notes(&token).await;
            if status == 401 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(status, 401);
    }
}
