//! Downloads from a server on this machine that misbehaves as servers do, and `dgm-train data fetch`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod server;

use common::{dgm, run_fails};
use dgm_train::data::catalogue::{DataSet, RemoteFile};
use dgm_train::fetch::fetch;
use server::{Answer, Server};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use tempfile::TempDir;

/// More than one buffer of the program and of the system.
const BYTES: usize = 300_000;

fn content() -> Vec<u8> {
    (0..BYTES as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

const PROXIES: [&str; 6] = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// A set of one file, `toy.bin`, and an empty folder for it.
struct Toy {
    set: DataSet,
    folder: TempDir,
}

impl Toy {
    fn new(urls: Vec<String>) -> Self {
        static NO_PROXY: Once = Once::new();
        // SAFETY: every test that reads the environment in this process comes by here first, and waits until it is done.
        NO_PROXY.call_once(|| PROXIES.iter().for_each(|name| unsafe { std::env::remove_var(name) }));
        let file = RemoteFile { name: "toy.bin".into(), bytes: BYTES as u64, sha256: sha256(&content()), urls };
        Self { set: DataSet { files: vec![file], ..DataSet::default() }, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("toy").join(name)
    }

    /// With a file there already.
    fn with(self, name: &str, bytes: &[u8]) -> Self {
        std::fs::create_dir_all(self.path("")).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
        self
    }

    /// The file arrives whole; how many were downloaded.
    fn arrives(&self, retries: u32) -> usize {
        let fetched = fetch("toy", &self.set, self.folder.path(), retries).unwrap();
        assert!(std::fs::read(self.path("toy.bin")).unwrap() == content(), "not the content");
        assert!(!self.path("toy.bin.part").exists());
        fetched
    }

    /// The file does not arrive, and what is not it has not got its name; what is said, and what is left of it.
    fn fails(&self, retries: u32, code: u8) -> (String, Option<Vec<u8>>) {
        let error = fetch("toy", &self.set, self.folder.path(), retries).unwrap_err();
        assert_eq!(error.exit_code(), code, "{error}");
        assert!(!self.path("toy.bin").exists());
        (error.to_string(), std::fs::read(self.path("toy.bin.part")).ok())
    }
}

/// A server that gives these answers in turn, and a set that knows its address.
fn serve(answers: Vec<Answer>) -> (Server, Toy) {
    let server = Server::new(answers);
    let toy = Toy::new(vec![server.url("/toy.bin")]);
    (server, toy)
}

fn assert_mentions(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
}

#[test]
fn a_file_arrives_once() {
    let (server, toy) = serve(vec![Answer::status("302 Found\r\nLocation: /moved"), Answer::file(&content())]);
    assert_eq!((toy.arrives(0), toy.arrives(0)), (1, 0));
    assert_eq!(server.paths(), ["/toy.bin", "/moved"]);
}

#[test]
fn a_broken_transfer_is_resumed_where_it_ended() {
    let (server, toy) = serve(vec![Answer::file(&content()).cut(123_457), Answer::rest(&content(), 123_457)]);
    toy.arrives(1);
    assert_eq!(server.ranges(), [None, Some("bytes=123457-".into())]);
    // By the next call too.
    let (server, toy) = serve(vec![Answer::file(&content()).cut(100_000), Answer::rest(&content(), 100_000)]);
    let (text, part) = toy.fails(0, 1);
    assert_mentions(&text, &["after 100000 of 300000 bytes"]);
    assert!(part.unwrap() == content()[..100_000]);
    toy.arrives(0);
    assert_eq!(server.ranges()[1], Some("bytes=100000-".into()));
}

#[test]
fn a_part_that_cannot_be_resumed_starts_over() {
    let refused = Answer::status("416 Range Not Satisfiable");
    for first in [None, Some(refused), Some(Answer::rest(&content(), 2_000)), Some(Answer::rest(&content(), 1_000))] {
        let retries = u32::from(first.is_some());
        let (server, toy) = serve(first.into_iter().chain([Answer::file(&content())]).collect());
        toy.with("toy.bin.part", &[7; 1_000]).arrives(retries);
        assert_eq!(server.ranges()[0], Some("bytes=1000-".into()));
        assert_eq!(server.ranges().len(), 1 + retries as usize);
    }
    // Longer than the file, there is nothing to resume.
    let (server, toy) = serve(vec![Answer::file(&content())]);
    toy.with("toy.bin.part", &[7; BYTES + 1]).arrives(0);
    assert_eq!(server.ranges(), [None]);
}

#[test]
fn a_changed_byte_is_found_and_nothing_is_kept() {
    let mut other = content();
    other[222_222] ^= 1;
    let (server, toy) = serve(vec![Answer::file(&other), Answer::file(&content())]);
    let (text, part) = toy.fails(4, 1);
    assert_mentions(&text, &[&format!("found sha256 {}; expected {}", sha256(&other), sha256(&content()))]);
    assert_eq!((part, server.paths().len()), (None, 1));
    let (_server, toy) = serve(vec![Answer::file(&[content(), vec![0; 5_000]].concat())]);
    let (text, part) = toy.fails(4, 1);
    assert_mentions(&text, &["the server has a file of 305000 bytes; expected 300000"]);
    assert_eq!(part, None);
}

#[test]
fn a_troubled_server_is_asked_again_but_not_for_ever() {
    let troubled = Answer::status("503 Busy");
    let (_server, toy) = serve(vec![troubled.clone(), Answer::file(&content())]);
    toy.arrives(1);
    let (server, toy) = serve(vec![troubled; 9]);
    assert_mentions(&toy.fails(1, 1).0, &["the server answered 503"]);
    assert_eq!(server.paths().len(), 2);
}

#[test]
fn a_file_that_is_not_there_is_sought_at_the_next_address() {
    let (first, second) = (Server::new(vec![]), Server::new(vec![Answer::file(&content())]));
    Toy::new(vec![first.url("/toy.bin"), second.url("/a")]).arrives(4);
    assert_eq!((first.paths().len(), second.paths()), (1, vec!["/a".into()]));
}

#[test]
fn a_damaged_file_is_noticed_and_fetched_again() {
    let mut other = content();
    other[5] ^= 1;
    for damaged in [&other[..], &content()[..10]] {
        let (_server, toy) = serve(vec![Answer::file(&content())]);
        assert_eq!(toy.with("toy.bin", damaged).arrives(0), 1);
    }
}

#[test]
fn two_at_a_time_fetch_once() {
    let (server, toy) = serve(vec![Answer::file(&content()); 2]);
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(|| toy.arrives(0)))));
    assert_eq!(server.paths().len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let (_server, toy) = serve(vec![Answer::file(&content())]);
    std::fs::create_dir_all(toy.path("")).unwrap();
    std::os::unix::fs::symlink("/dev/full", toy.path("toy.bin.part")).unwrap();
    let error = fetch("toy", &toy.set, toy.folder.path(), 4).unwrap_err();
    assert_mentions(&error.to_string(), &["toy.bin.part: cannot be written: No space left", "--dir", "DGM_DATA_DIR"]);
    assert_eq!(error.exit_code(), 1);
    std::fs::write(toy.folder.path().join("file"), "").unwrap();
    let error = fetch("toy", &toy.set, &toy.folder.path().join("file"), 4).unwrap_err();
    assert_mentions(&error.to_string(), &["file/toy: cannot be written: Not a directory"]);
    assert_eq!(error.exit_code(), 2);
}

/// The program, with a folder for data sets.
fn program(folder: &Path) -> Command {
    let mut command = dgm(folder);
    for name in PROXIES {
        command.env_remove(name);
    }
    command.env("DGM_DATA_DIR", folder.join("cache"));
    command
}

#[test]
fn offline_names_every_file_and_asks_no_server_twice() {
    let (folder, mirror) = (tempfile::tempdir().unwrap(), "http://127.0.0.1:1/mnist");
    let output = program(folder.path()).args(["data", "fetch", "mnist", "--mirror", mirror]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_mentions(&text, &["error: mnist: http://127.0.0.1:1/mnist/train-images", "put it at its path and run this"]);
    for name in ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"] {
        assert_mentions(
            &text,
            &[&format!("/cache/mnist/{name}-ubyte.gz\n"), &format!("\n    {mirror}/{name}-ubyte.gz")],
        );
    }
    assert_eq!(text.matches("efused").count(), 1, "{text}");
}

#[test]
fn bad_arguments_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = run_fails(folder.path(), &["data", "fetch", "minst"], 2);
    assert_mentions(&text, &["`minst`", "did you mean `mnist`?", "fashion-mnist (30.88 MB)"]);
    let text = run_fails(folder.path(), &["data", "fetch", "mnist", "--mirror", "host/mnist"], 2);
    assert_mentions(&text, &["--mirror host/mnist: expected http://… or https://…"]);
    let text = run_fails(folder.path(), &["data", "fetch", "mnist", "--dir", ".", "--check"], 2);
    assert_mentions(&text, &["train-images-idx3-ubyte.gz: absent", "dgm-train data fetch mnist"]);
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
    let (server, folder) = (Server::of_folder(&data), tempfile::tempdir().unwrap());
    let run = |args: &[&str]| {
        let output = program(folder.path()).args(args).output().unwrap();
        (output.status.code(), String::from_utf8([output.stderr, output.stdout].concat()).unwrap())
    };
    let values = ["training.epochs=1", "data.train_limit=200", "data.validation=100", "data.test_limit=100"];
    let values = values
        .iter()
        .chain(["model.encoder.hidden=[8]", "model.decoder.hidden=[8]"].iter())
        .flat_map(|value| ["--set", value]);
    let train: Vec<&str> =
        ["--config", "mnist-vae.toml", "--out", "run", "--quiet"].into_iter().chain(values).collect();
    let (code, text) = run(&train);
    assert_eq!(code, Some(2), "{text}");
    assert_mentions(&text, &["/cache/mnist, nor in raw", "run `dgm-train data fetch mnist`"]);

    let (code, text) = run(&["data", "fetch", "mnist", "--mirror", &server.url("")]);
    assert_eq!((code, server.paths().len()), (Some(0), 4), "{text}");
    assert_mentions(&text, &["train-images-idx3-ubyte.gz: 9.91 MB", "4 of 4 files", "[data] source = \"mnist\""]);
    assert_mentions(&run(&["data", "fetch", "mnist", "--check"]).1, &["mnist: 11.59 MB in ", "as expected"]);
    let text = run(&["data", "fetch"]).1;
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert_mentions(&line("mnist"), &["11.59 MB", "4 of 4 files here", "60000 + 10000"]);
    assert_mentions(&line("fashion"), &["0 of 4 files here"]);

    let (code, text) = run(&train);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(common::json(&folder.path().join("run/provenance.json"))["data"], "mnist");
}
