//! Running out of file descriptors, in a process of its own: the limit is the process's.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use landfall_net::server::{Limits, raise_descriptor_limit};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::net::TcpStream;

use super::tools::{Client, Running, file_of, soon};

const CHILD: &str = "server::descriptors::the_child_with_few_descriptors";
const RAISING: &str = "server::descriptors::the_child_that_raises_its_limit";

#[tokio::test]
async fn running_out_of_descriptors_does_not_end_the_server() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .find_map(|line| line.unwrap().strip_prefix("address ").map(str::to_owned))
        .unwrap();
    let mut clients = Vec::new();
    for _ in 0..60 {
        clients.push(TcpStream::connect(&address).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(clients);
    let mut client = Client(TcpStream::connect(&address).await.unwrap());
    assert_eq!(soon(client.get("/hello")).await.body, b"hello");
    // Its end of input tells the child to report and end.
    drop(child.stdin.take());
    let errors = lines
        .find_map(|line| line.unwrap().strip_prefix("errors ").map(str::to_owned))
        .unwrap();
    assert!(errors.parse::<u64>().unwrap() > 0, "descriptors did run out");
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
#[ignore = "run by the test above"]
async fn the_child_with_few_descriptors() {
    let few = Some(40);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: few,
            maximum: few,
        },
    )
    .unwrap();
    let server = Running::plain(Limits::default(), file_of(b"x")).await;
    println!("\naddress {}", server.addr);
    let stats = std::sync::Arc::clone(&server.stats);
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count())
        .await
        .unwrap();
    println!("\nerrors {}", stats.accept_errors());
}

#[test]
fn the_limit_is_raised_as_far_as_it_goes() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", RAISING, "--ignored"]);
    assert!(child.stdout(Stdio::null()).status().unwrap().success());
}

#[test]
#[ignore = "run by the test above"]
fn the_child_that_raises_its_limit() {
    let limit = |current, maximum| {
        let limit = Rlimit {
            current: Some(current),
            maximum: Some(maximum),
        };
        setrlimit(Resource::Nofile, limit).unwrap();
    };
    let open = |count| -> std::io::Result<Vec<_>> {
        let files = (0..count).map(|_| std::fs::File::open("/dev/null"));
        files.collect()
    };
    limit(40, 200);
    assert!(open(100).is_err());
    assert_eq!(raise_descriptor_limit().unwrap(), Some(200));
    assert!(open(100).is_ok() && open(200).is_err());
    assert_eq!(raise_descriptor_limit().unwrap(), Some(200), "again");
}
