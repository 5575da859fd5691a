//! `kill -9` in the middle of sign-ups: who was told 201 has an account, and nobody has half of one.

use futures_util::future::join_all;
use serde_json::json;

use crate::served::Served;
use crate::world::PASSWORD;

#[tokio::test]
async fn kill_9_in_the_middle_of_sign_ups_loses_nothing_that_was_promised() {
    let here = Served::start("").await;
    here.sign_up("first@example.com").await;
    let emails: Vec<String> = (0..12).map(|number| format!("user{number}@example.com")).collect();
    let requests = emails.iter().map(|email| {
        let body = json!({"email": email, "password": PASSWORD});
        here.http.post(&here.issuer("users")).json(&body)
    });
    let requests: Vec<_> = requests.map(|request| tokio::spawn(request.try_send())).collect();
    // `select_all` and `swap_remove` take the last into the place of the one that goes.
    // The moment comes when the first of them is answered and the others are under way.
    let mut promised = vec!["first@example.com".to_owned()];
    let (answer, place, others) = futures_util::future::select_all(requests).await;
    let mut emails = emails;
    let mut note = |email: String, answer: Result<testkit::http::Reply, String>| {
        if answer.is_ok_and(|reply| reply.code() == 201) {
            promised.push(email);
        }
    };
    note(emails.swap_remove(place), answer.unwrap());
    let laid = here.kill().await;
    let answers = join_all(others).await;
    for (email, answer) in emails.iter().cloned().zip(answers) {
        note(email, answer.unwrap());
    }

    let here = laid.start().await;
    for email in &promised {
        here.log_in(email, PASSWORD).await.expect(200);
    }
    // The others were told nothing: whether they exist or not, signing up (again) and logging in must work.
    for email in emails.iter().filter(|email| !promised.contains(email)) {
        here.sign_up(email).await;
        here.log_in(email, PASSWORD).await.expect(200);
    }
    here.stop().await;
}
