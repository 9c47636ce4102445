//! `dgm-train data fetch` against a server on this machine that misbehaves in every way that servers do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod server;

use common::dgm;
use server::{Answer, Gate, Server};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// More than one buffer of the program and of the system.
const BYTES: usize = 300_000;

fn content() -> Vec<u8> {
    (0..BYTES as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An address that refuses connections.
const NOBODY: &str = "http://127.0.0.1:1";

/// A folder with a catalogue of one set, `toy`, of one file, `toy.bin`, at these addresses.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(urls: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sum = sha256(&content());
        let text = format!(
            "[toy]\nabout = 'a toy'\nfiles = [{{ name = 'toy.bin', bytes = {BYTES}, sha256 = '{sum}', urls = {urls:?} }}]"
        );
        std::fs::write(folder.path().join("own.toml"), text).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("data/toy").join(name)
    }

    /// Puts a file there.
    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::create_dir_all(self.path("")).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = dgm(self.folder.path());
        for variable in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(variable);
        }
        command.args(["data", "fetch", "toy", "--catalogue", "own.toml", "--dir", "data"]).args(more);
        if !more.contains(&"--timeout") {
            command.args(["--timeout", "2"]);
        }
        command
    }

    fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    /// The file arrives whole; what was printed.
    fn fetched(&self, more: &[&str]) -> String {
        let output = self.run(more);
        let text = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
        assert!(output.status.success(), "{text}");
        assert!(std::fs::read(self.path("toy.bin")).unwrap() == content(), "not the content: {text}");
        assert!(!self.path("toy.bin.part").exists());
        text
    }

    /// The file does not arrive, and what is not it has not got its name; what was printed.
    fn fails(&self, more: &[&str], code: i32) -> String {
        let output = self.run(more);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(!text.contains("panicked") && text.contains("error: "), "{text}");
        assert!(!self.path("toy.bin").exists());
        text
    }

    fn part(&self) -> Option<Vec<u8>> {
        std::fs::read(self.path("toy.bin.part")).ok()
    }
}

/// A server that gives these answers in turn, and a place that knows its address.
fn serve(answers: Vec<Answer>) -> (Server, Place) {
    let server = Server::new(answers);
    let place = Place::new(&[server.url("/toy.bin")]);
    (server, place)
}

fn assert_mentions(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
}

#[test]
fn a_file_arrives_once() {
    let (server, place) = serve(vec![Answer::file(&content())]);
    let text = place.fetched(&[]);
    assert_mentions(&text, &["toy.bin: 300.0 kB", "toy: 1 file (300.0 kB) in data/toy, 1 of them new"]);
    // What is there is not fetched again, and --check agrees.
    assert_mentions(&place.fetched(&[]), &["already in data/toy, checked"]);
    assert_mentions(&place.fetched(&["--check"]), &["toy: 1 file in data/toy, as expected"]);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.requests()[0].field("accept-encoding"), Some("identity"));
}

#[test]
fn redirections_are_followed_but_not_for_ever() {
    let (server, place) = serve(vec![Answer::redirect("/moved/toy.bin"), Answer::file(&content())]);
    place.fetched(&[]);
    assert_eq!(server.requests()[1].path, "/moved/toy.bin");

    let (server, place) = serve((0..20).map(|_| Answer::redirect("/toy.bin")).collect());
    assert_mentions(&place.fails(&[], 1), &["more than 5 redirections"]);
    assert!(server.requests().len() <= 7);
}

#[test]
fn a_redirection_keeps_the_range() {
    let (server, place) = serve(vec![Answer::redirect("/moved"), Answer::rest(&content(), 1_000)]);
    place.put("toy.bin.part", &content()[..1_000]);
    place.fetched(&[]);
    assert_eq!(server.requests()[1].field("range"), Some("bytes=1000-"));
}

#[test]
fn a_broken_transfer_resumes_where_it_ended() {
    let cut = Answer::file(&content()).cut(123_457);
    let (server, place) = serve(vec![cut, Answer::rest(&content(), 123_457)]);
    let text = place.fetched(&[]);
    assert_mentions(&text, &["after 123457 of 300000 bytes", "retry 1 of 4", "resuming after 123.5 kB"]);
    let ranges: Vec<_> = server.requests().iter().map(|request| request.field("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=123457-".into())]);
}

#[test]
fn the_next_call_resumes_where_the_last_ended() {
    let (server, place) = serve(vec![Answer::file(&content()).cut(100_000), Answer::rest(&content(), 100_000)]);
    assert_mentions(&place.fails(&["--retries", "0"], 1), &["after 100000 of 300000 bytes", "toy.bin"]);
    assert!(place.part().unwrap() == content()[..100_000]);
    place.fetched(&["--retries", "0"]);
    assert_eq!(server.requests()[1].field("range"), Some("bytes=100000-"));
}

#[test]
fn a_connection_without_a_length_may_end_early() {
    let (server, place) =
        serve(vec![Answer::file(&content()).unannounced().cut(50_000), Answer::rest(&content(), 50_000)]);
    assert_mentions(&place.fetched(&[]), &["the connection ended after 50000 of 300000 bytes"]);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_stalled_transfer_is_given_up_and_gone_on_with() {
    let stalled = Answer::file(&content()).cut(70_000).then_wait(Duration::from_secs(20));
    let (server, place) = serve(vec![stalled, Answer::rest(&content(), 70_000)]);
    assert_mentions(&place.fetched(&[]), &["no data within 2 s after 70000 of 300000 bytes"]);
    assert_eq!(server.requests()[1].field("range"), Some("bytes=70000-"));
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let (server, place) = serve(vec![Answer::nothing().then_wait(Duration::from_secs(20)), Answer::file(&content())]);
    assert_mentions(&place.fetched(&[]), &["no answer within 2 s"]);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_range_that_the_server_ignores_starts_over() {
    let (server, place) = serve(vec![Answer::file(&content())]);
    place.put("toy.bin.part", &[7; 1_000]);
    place.fetched(&[]);
    assert_eq!(server.requests()[0].field("range"), Some("bytes=1000-"));
}

#[test]
fn a_range_that_the_server_refuses_starts_over() {
    let (server, place) = serve(vec![Answer::status("416 Range Not Satisfiable"), Answer::file(&content())]);
    place.put("toy.bin.part", &[7; 1_000]);
    place.fetched(&[]);
    assert_eq!(server.requests()[1].field("range"), None);
}

#[test]
fn another_range_than_asked_for_starts_over() {
    let (server, place) = serve(vec![Answer::rest(&content(), 2_000), Answer::file(&content())]);
    place.put("toy.bin.part", &content()[..1_000]);
    place.fetched(&[]);
    assert_eq!(server.requests()[1].field("range"), None);
}

#[test]
fn a_part_of_something_else_is_found_out_and_starts_over() {
    let (server, place) = serve(vec![Answer::rest(&content(), 1_000), Answer::file(&content())]);
    place.put("toy.bin.part", &[7; 1_000]);
    assert_mentions(&place.fetched(&[]), &["found sha256", &sha256(&content())]);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_part_that_is_complete_needs_no_server() {
    let (server, place) = serve(vec![]);
    place.put("toy.bin.part", &content());
    place.fetched(&[]);
    assert!(server.requests().is_empty());
}

#[test]
fn a_part_that_is_too_long_starts_over() {
    let (server, place) = serve(vec![Answer::file(&content())]);
    place.put("toy.bin.part", &[7; BYTES + 1]);
    place.fetched(&[]);
    assert_eq!(server.requests()[0].field("range"), None);
}

#[test]
fn a_changed_byte_is_found_and_nothing_is_kept() {
    let mut other = content();
    other[222_222] ^= 1;
    let (server, place) = serve(vec![Answer::file(&other), Answer::file(&content())]);
    let text = place.fails(&[], 1);
    assert_mentions(&text, &[&format!("found sha256 {}; expected {}", sha256(&other), sha256(&content()))]);
    assert_eq!((place.part(), server.requests().len()), (None, 1));
}

#[test]
fn a_longer_file_is_cut_off_at_once() {
    // Announced, it is not even begun.
    let longer = [content(), vec![0; 5_000]].concat();
    let (_server, place) = serve(vec![Answer::file(&longer)]);
    assert_mentions(&place.fails(&[], 1), &["the server has a file of 305000 bytes; expected 300000"]);
    assert_eq!(place.part(), None);
    // Unannounced, it may go on for ever.
    let (_server, place) = serve(vec![Answer::file(&content()).unannounced().then_zeros()]);
    assert_mentions(&place.fails(&[], 1), &["sends more than the 300000 bytes"]);
    assert_eq!(place.part(), None);
    // A length that is wrong: the rest is cut off by the length, or missing.
    let (_server, place) = serve(vec![Answer::file(&content()).announcing(299_999)]);
    assert_mentions(&place.fails(&[], 1), &["the server has a file of 299999 bytes; expected 300000"]);
    let (server, place) = serve((0..3).map(|_| Answer::file(&longer).announcing(BYTES)).collect());
    place.fetched(&[]);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_file_that_is_not_there_is_sought_at_the_next_address() {
    let (first, second) =
        (Server::new(vec![Answer::status("404 Not Found")]), Server::new(vec![Answer::file(&content())]));
    let place = Place::new(&[first.url("/toy.bin"), second.url("/a/toy.bin")]);
    assert_mentions(&place.fetched(&[]), &["the server answered 404 Not Found; trying the next address"]);
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));

    let (_server, place) = serve(vec![Answer::status("404 Not Found")]);
    assert_mentions(&place.fails(&[], 1), &["toy: one file cannot be fetched", "404 Not Found"]);
}

#[test]
fn the_next_address_resumes_the_part() {
    let first = Server::new(vec![Answer::file(&content()).cut(90_000)]);
    let second = Server::new(vec![Answer::rest(&content(), 90_000)]);
    let place = Place::new(&[first.url("/toy.bin"), second.url("/toy.bin")]);
    place.fetched(&["--retries", "0"]);
    assert_eq!(second.requests()[0].field("range"), Some("bytes=90000-"));
}

#[test]
fn a_troubled_server_is_asked_again_but_not_for_ever() {
    let troubled = || Answer::status("500 Internal Server Error");
    let (_server, place) = serve(vec![troubled(), Answer::status("503 Busy"), Answer::file(&content())]);
    assert_mentions(
        &place.fetched(&[]),
        &["500 Internal Server Error; retry 1 of 4", "503 Service Unavailable; retry 2"],
    );
    let (server, place) = serve((0..20).map(|_| troubled()).collect());
    place.fails(&["--retries", "2"], 1);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn what_is_not_http_is_an_error() {
    let (_server, place) = serve((0..20).map(|_| Answer::raw(b"SSH-2.0-server\r\n\r\n")).collect());
    assert_mentions(&place.fails(&["--retries", "1"], 1), &["toy: one file cannot be fetched"]);
    let (_server, place) = serve((0..20).map(|_| Answer::nothing()).collect());
    place.fails(&["--retries", "1"], 1);
}

#[test]
fn a_packed_answer_is_refused() {
    let packed = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {BYTES}\r\n\r\n");
    let (_server, place) = serve(vec![Answer::raw(packed.as_bytes())]);
    assert_mentions(&place.fails(&[], 1), &["packs the file into gzip"]);
}

#[test]
fn without_a_network_it_says_which_file_belongs_where() {
    let url = format!("{NOBODY}/toy.bin");
    let place = Place::new(std::slice::from_ref(&url));
    let text = place.fails(&[], 1);
    let path = std::fs::canonicalize(place.folder.path()).unwrap().join("data/toy/toy.bin");
    let expected = format!(
        "error: toy: no server can be reached; get it, put it at this path and run this command again, which checks and \
         keeps what is there:\n{}\n    {BYTES} bytes, sha256 {}\n    from {url} (",
        path.display(),
        sha256(&content())
    );
    assert_mentions(&text, &[&expected, "efused"]);
    // Which is true.
    place.put("toy.bin", &content());
    place.fetched(&[]);
}

#[test]
fn offline_names_every_file_and_asks_no_server_twice() {
    let mirror = format!("{NOBODY}/mnist");
    let folder = tempfile::tempdir().unwrap();
    let mut command = dgm(folder.path());
    command.env("DGM_DATA_DIR", "here").env_remove("http_proxy").env_remove("HTTP_PROXY").env_remove("ALL_PROXY");
    let output = command.args(["data", "fetch", "mnist", "--mirror", &mirror]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for name in ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"] {
        assert_mentions(&text, &[&format!("/here/mnist/{name}-ubyte.gz\n"), &format!("from {mirror}/{name}-ubyte.gz")]);
    }
    assert_eq!(text.matches("efused").count(), 1, "{text}");
}

#[test]
fn a_damaged_file_is_noticed_and_fetched_again() {
    let (server, place) = serve(vec![Answer::file(&content()), Answer::file(&content())]);
    let mut other = content();
    other[5] ^= 1;
    place.put("toy.bin", &other);
    let output = place.run(&["--check"]);
    assert_eq!(output.status.code(), Some(2));
    assert_mentions(
        &String::from_utf8_lossy(&output.stderr),
        &["toy.bin is damaged (found sha256", "dgm-train data fetch toy"],
    );
    assert_mentions(&place.fetched(&[]), &["toy.bin: damaged: found sha256"]);
    place.put("toy.bin", &content()[..10]);
    assert_mentions(&place.fetched(&[]), &["toy.bin: damaged: found 10 bytes; expected 300000"]);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn two_at_a_time_fetch_once() {
    let gate = Gate::default();
    let (server, place) = serve(vec![Answer::file(&content()).held_by(&gate), Answer::file(&content())]);
    let patient = ["--timeout", "60"];
    let first = place.command(&patient).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.wait_for_requests(1);
    let mut second = place.command(&patient).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(second.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    gate.open();
    assert_mentions(&line, &["another process is fetching toy; waiting for it"]);
    assert!(first.wait_with_output().unwrap().status.success());
    assert!(second.wait().unwrap().success());
    place.fetched(&[]);
    assert_eq!(server.requests().len(), 1);
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_what_came() {
    use nix::sys::signal::{Signal, kill};
    let slow = Answer::file(&content()).cut(100_000).then_wait(Duration::from_secs(20));
    let (server, place) = serve(vec![slow, Answer::rest(&content(), 100_000)]);
    let mut child = place.command(&["--timeout", "30"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server::until(|| place.part().is_some_and(|part| part.len() == 100_000));
    kill(nix::unistd::Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert!(!child.wait().unwrap().success());
    place.fetched(&[]);
    assert_eq!(server.requests()[1].field("range"), Some("bytes=100000-"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_line() {
    let (_server, place) = serve(vec![Answer::file(&content())]);
    std::fs::create_dir_all(place.path("")).unwrap();
    std::os::unix::fs::symlink("/dev/full", place.path("toy.bin.part")).unwrap();
    let text = place.fails(&[], 1);
    assert_mentions(&text, &["toy.bin.part: cannot be written: No space left", "free some space"]);
    assert_eq!(text.lines().filter(|line| line.contains("error")).count(), 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let (_server, place) = serve(vec![]);
    std::fs::write(place.folder.path().join("data"), "a file").unwrap();
    let text = place.fails(&[], 2);
    assert_mentions(&text, &["data/toy: the folder cannot be made", "--dir", "DGM_DATA_DIR"]);
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn bad_arguments_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = common::run_fails(folder.path(), &["data", "fetch", "minst"], 2);
    assert_mentions(&text, &["`minst`", "did you mean `mnist`?", "fashion-mnist (30.9 MB)"]);
    for mirror in ["host/mnist", "http://", "https://two words"] {
        let text = common::run_fails(folder.path(), &["data", "fetch", "mnist", "--mirror", mirror], 2);
        assert_mentions(&text, &[&format!("--mirror {mirror}: expected an address, http://… or https://…")]);
    }
    let text = common::run_fails(folder.path(), &["data", "fetch", "--catalogue", "none.toml"], 2);
    assert_mentions(&text, &["none.toml: cannot be read"]);
    std::fs::write(folder.path().join("own.toml"), "[a]\nfiles = 3\n").unwrap();
    let text = common::run_fails(folder.path(), &["data", "fetch", "--catalogue", "own.toml"], 2);
    assert_mentions(&text, &["own.toml:2:", "expected a sequence"]);
    let output = common::run(folder.path(), &["data", "fetch", "mnist", "--timeout", "0"]);
    assert_eq!(output.status.code(), Some(2));
    let text = common::run_fails(folder.path(), &["data", "fetch", "mnist", "--dir", ".", "--check"], 2);
    assert_mentions(&text, &["train-images-idx3-ubyte.gz is absent", "dgm-train data fetch mnist"]);
}

#[test]
fn without_a_name_it_lists_what_there_is() {
    let (_server, place) = serve(vec![Answer::file(&content())]);
    place.fetched(&[]);
    let list = ["data", "fetch", "--catalogue", "own.toml", "--dir", "data"];
    let text = common::run_ok(place.folder.path(), &list);
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert_mentions(&line("toy"), &["300.0 kB", "  fetched", "a toy"]);
    assert_mentions(&line("mnist"), &["11.6 MB", "not fetched", "60000 + 10000"]);
}

/// The real files through the real command, and a model trained on what it left.
#[test]
fn mnist_is_fetched_and_trained_on() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mnist");
    if !data.exists() {
        assert_ne!(std::env::var("DGM_REQUIRE_DATA").as_deref(), Ok("1"), "there is no {}", data.display());
        println!("skipped: there is no {}", data.display());
        return;
    }
    let server = Server::of_folder(&data);
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = dgm(folder.path());
        command.env("DGM_DATA_DIR", folder.path().join("cache")).env_remove("http_proxy").env_remove("HTTP_PROXY");
        command.env_remove("ALL_PROXY").args(args).output().unwrap()
    };
    let train = [
        "--config",
        "mnist-vae.toml",
        "--out",
        "run",
        "--quiet",
        "--set",
        "training.epochs=1",
        "--set",
        "data.train_limit=200",
        "--set",
        "data.validation=100",
        "--set",
        "data.test_limit=100",
        "--set",
        "model.encoder.hidden=[8]",
        "--set",
        "model.decoder.hidden=[8]",
    ];
    let output = run(&train);
    assert_eq!(output.status.code(), Some(2));
    assert_mentions(
        &String::from_utf8_lossy(&output.stderr),
        &["/cache/mnist, nor in raw", "run `dgm-train data fetch mnist`"],
    );

    let output = run(&["data", "fetch", "mnist", "--mirror", &server.url("")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_mentions(&String::from_utf8_lossy(&output.stdout), &["4 files (11.6 MB)", "[data] source = \"mnist\""]);
    assert_eq!(server.requests().len(), 4);

    let output = run(&train);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(common::json(&folder.path().join("run/provenance.json"))["data"], "mnist");
}
