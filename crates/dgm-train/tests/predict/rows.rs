//! Rows as a whole: sampled given some cells, and filled in.

use super::*;

/// Animals: a species, its sex and its weight, some cells of which are missing.
fn animals(rows: u32) -> String {
    let mut text = "id,species,sex,weight\n".to_owned();
    for i in 0..rows {
        let (species, sex) = (["cat", "dog"][i as usize % 2], ["female", "male"][i as usize / 2 % 2]);
        let weight = f64::from(4 + 20 * (i % 2) + 2 * (i / 2 % 2)) + f64::from(i * 7919 % 1000) / 1000.0;
        let [species, sex] = [(species, 11), (sex, 7)].map(|(word, every)| if i % every == 3 { "" } else { word });
        let weight = if i % 13 == 5 { String::new() } else { format!("{weight:.2}") };
        writeln!(text, "a{i},{species},{sex},{weight}").unwrap();
    }
    text
}

#[test]
fn rows_are_sampled_given_some_cells_and_missing_cells_are_filled_in() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("animals.csv"), animals(400)).unwrap();
    run_ok(folder, &["new", "--data", "animals.csv", "--target", "*", "--out", "animals.toml"]);
    let written = std::fs::read_to_string(folder.join("animals.toml")).unwrap();
    assert!(written.contains("missing = \"keep\"") && written.contains("any_order_mlp"), "{written}");
    let fast = ["--quiet", "--set", "training.epochs=250", "--set", "model.hidden=[24,24]"];
    run_ok(folder, &[&["--config", "animals.toml", "--out", "run"], &fast[..]].concat());

    let given = ["sample", "run", "-n", "200", "--given", "species=dog", "--given", "sex=male", "--out", "dogs.csv"];
    run_ok(folder, &given);
    let (header, rows) = read(&std::fs::read_to_string(folder.join("dogs.csv")).unwrap());
    assert_eq!(header, ["species", "sex", "weight"]);
    assert!(rows.len() == 200 && rows.iter().all(|row| row[..2] == ["dog", "male"]), "{rows:?}");
    let weight = mean(column(&header, &rows, "weight").into_iter());
    assert!((weight - 26.5).abs() < 1.0, "{weight}");

    // What is there stays as it is, in any order; what is missing follows from it.
    let holes = "weight,id,sex,species\n25.50,1,,\n,2,female,cat\n4.5,3,female,cat\n";
    std::fs::write(folder.join("holes.csv"), holes).unwrap();
    let said = run_ok(folder, &["impute", "run", "--data", "holes.csv", "--out", "filled.csv"]);
    assert_eq!(said.trim(), "3 missing cells of 3 rows filled in: filled.csv");
    let filled = std::fs::read_to_string(folder.join("filled.csv")).unwrap();
    let (header, rows) = read(&filled);
    assert_eq!(header, ["weight", "id", "sex", "species"]);
    assert_eq!((&rows[0][..2], rows[0][3].as_str()), (&["25.50", "1"].map(String::from)[..], "dog"));
    assert!((rows[1][0].parse::<f64>().unwrap() - 4.5).abs() < 1.0, "{filled}");
    assert_eq!(rows[2], ["4.5", "3", "female", "cat"]);

    // Drawn, the same seed gives the same table.
    let draw = |out: &str, seed: &str| {
        let run = ["impute", "run", "--data", "animals.csv", "--out", out, "--draw", "--seed", seed];
        run_ok(folder, &run);
        std::fs::read_to_string(folder.join(out)).unwrap()
    };
    let drawn = draw("a.csv", "1");
    assert!(drawn == draw("b.csv", "1") && drawn != draw("c.csv", "2"));
    let (_, rows) = read(&drawn);
    assert!(rows.iter().flatten().all(|cell| !cell.is_empty()));

    for (arguments, expected) in [
        (&["sample", "run", "--given", "sex=mal", "--out", "x.csv"][..], "did you mean `male`?"),
        (&["sample", "run", "--given", "sx=male", "--out", "x.csv"], "did you mean `sex`?"),
        (&["sample", "run", "--given", "sex", "--out", "x.csv"], "write --given COLUMN=VALUE"),
        (
            &["sample", "run", "--given", "sex=male", "--given", "sex=female", "--out", "x.csv"],
            "found the column twice",
        ),
        (&["impute", "run", "--data", "flats.csv", "--out", "x.csv"], "found no column `species`"),
        (&["impute", "run", "--data", "odd.csv", "--out", "x.csv"], "odd.csv:2: column `sex`: found \"x\""),
    ] {
        std::fs::write(folder.join("flats.csv"), table([0, 1, 2, 3, 4], 0..3)).unwrap();
        std::fs::write(folder.join("odd.csv"), "species,sex,weight\ncat,x,4\n").unwrap();
        let message = run_fails(folder, arguments, 2);
        assert!(message.contains(expected), "{message}");
        assert!(!folder.join("x.csv").exists());
    }
    // A model that needs its condition whole says which ones do not.
    trained(folder, "price");
    let message = run_fails(folder, &["impute", "flats", "--data", "flats.csv", "--out", "x.csv"], 2);
    assert!(message.contains("model.kind = \"any_order_mlp\""), "{message}");
}
