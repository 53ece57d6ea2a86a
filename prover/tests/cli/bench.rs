//! `zkmargin bench`: files, resumption, report, refusals.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zkmargin_circuits::phase::Phase;

use crate::desk::{desk, run};

/// The smallest grid with two points.
const TINY: [&str; 12] = [
    "bench",
    "--legs",
    "64",
    "--equations",
    "4",
    "--squares",
    "0",
    "--threads",
    "1,2",
    "--runs",
    "1",
    "--batch",
];

fn tiny<'a>(batch: &'a str, out: &'a str) -> Vec<&'a str> {
    [&TINY[..], &[batch, "-o", out]].concat()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn results_are_json_and_csv_and_are_not_measured_twice() {
    let folder = tempfile::tempdir().unwrap();
    let measure = || {
        let words = [&["--json"], &tiny("1,2", "r.json")[..]].concat();
        run(folder.path(), &words).done().json()
    };
    let first = measure();
    assert_eq!(
        (&first["points"], &first["measured"], &first["skipped"]),
        (&json!(2), &json!(2), &json!(0))
    );
    let results = read(&folder.path().join("r.json"));
    assert_eq!(results["kind"], "bench");
    assert_eq!(results["build"]["protocol"], zkmargin_circuits::PROTOCOL_VERSION);
    let points = results["points"].as_array().unwrap();
    assert_eq!(points.len(), 2);
    for (point, threads) in points.iter().zip([1, 2]) {
        assert_eq!(point["point"]["threads"], threads);
        let warm = &point["warm"];
        assert_eq!((&warm["legs"], &warm["size"]["equations"]), (&json!(64), &json!(4)));
        let ms = |value: &Value| value.as_f64().filter(|ms| *ms > 0.0).unwrap();
        let prove = ms(&warm["prove"]["cpu_ms"]);
        let phases = warm["phases"].as_array().unwrap();
        assert!(
            phases
                .iter()
                .map(|phase| &phase["phase"])
                .eq(Phase::ALL.map(Phase::name))
        );
        let phases = phases.iter().map(|phase| phase["cpu_ms"].as_f64().unwrap());
        assert!(phases.clone().all(|ms| ms > 0.0));
        let phases: f64 = phases.sum();
        assert!(phases > 0.8 * prove && phases <= 1.01 * prove, "{phases} of {prove}");
        assert!(ms(&point["cold"]["process_ms"]) > ms(&point["cold"]["found"]["first_proof_ms"]));
        let derived = ms(&point["cold_without_cache"]["found"]["parameters_ms"]);
        assert!(
            derived > ms(&point["cold"]["found"]["parameters_ms"]),
            "derived in {derived} ms"
        );
        assert!(warm["candidates"].as_array().unwrap().contains(&warm["size"]));
    }

    let csv = std::fs::read_to_string(folder.path().join("r.csv")).unwrap();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 1 + 2 * 2, "{csv}");
    let column = |name: &str| lines[0].iter().position(|head| *head == name).unwrap();
    let cells = |name: &str| lines[1..].iter().map(|line| line[column(name)]).collect::<Vec<_>>();
    assert_eq!(cells("batch"), ["1", "2", "1", "2"]);
    assert_eq!(cells("threads"), ["1", "1", "2", "2"]);
    assert!(cells("verify_cpu_ms").iter().all(|ms| ms.parse::<f64>().unwrap() > 0.0));
    // One statement alone is proven in its own column.
    let together = cells("prove_together_cpu_ms");
    assert!(
        together
            .iter()
            .zip(cells("batch"))
            .all(|(ms, batch)| ms.is_empty() == (batch == "1"))
    );
    let bytes = points[0]["warm"]["size"]["proof_bytes"].to_string();
    assert!(cells("proof_bytes").iter().all(|cell| *cell == bytes));

    let again = measure();
    assert_eq!((&again["measured"], &again["skipped"]), (&json!(0), &json!(2)));
    assert_eq!(read(&folder.path().join("r.json")), results);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn report_has_every_plot_and_no_script() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &tiny("1,2", "r.json")).done();
    let report = |words: &[&str]| {
        let words = [&["bench", "report", "r.json", "-o", "r.html", "--force"], words].concat();
        run(folder.path(), &words).done();
        std::fs::read_to_string(folder.path().join("r.html")).unwrap()
    };
    let html = report(&[]);
    let plots = [
        "Proving against legs",
        "Proving against equations",
        "Verifying one proof against legs",
        "Verifying one proof against equations",
        "Proving against threads",
        "Verifying one proof against threads",
        "Proving statements in one proof",
        "Verifying proofs together",
        "Proving by phase",
        "Size of a proof against equations",
    ];
    for plot in plots {
        assert!(html.contains(plot), "no {plot}");
    }
    // The memory of a proof is not known everywhere.
    let given = usize::from(html.contains("Most memory of one proof against equations"));
    assert_eq!(html.matches("<svg").count(), plots.len() + given);
    for never in ["<script", "src=", "href=", "NaN", "inf"] {
        assert!(!html.contains(never), "{never}");
    }

    let system = json!({
        "name": "Another <b>", "trusted_setup": "per circuit", "matrix_free": false, "setup_ms": 1e4, "key_bytes": 5_000_000, "prove_cpu_ms": 900.0,
        "prove_wall_ms": 450.0, "verify_cpu_ms": 3.5, "verify_wall_ms": null, "proof_bytes": 192, "peak_bytes": null,
    });
    let mut baselines = json!({ "machine": "elsewhere", "legs": 1024, "scenarios": 99, "systems": [system] });
    let write = |value: &Value| std::fs::write(folder.path().join("b.json"), value.to_string()).unwrap();
    write(&baselines);
    let with = report(&["--baselines", "b.json"]);
    assert_eq!(with.matches("<svg").count(), plots.len() + given + 3);
    for words in [
        "Another &lt;b&gt;",
        "per circuit",
        "1024 legs, 99 scenarios, on elsewhere",
        "Size of a proof, by system",
    ] {
        assert!(with.contains(words), "no {words}");
    }
    assert!(!with.contains("<b>"));

    baselines["systems"][0]["trusted_setup"] = json!("somebody");
    write(&baselines);
    let words = [
        "bench",
        "report",
        "r.json",
        "-o",
        "r.html",
        "--force",
        "--baselines",
        "b.json",
    ];
    run(folder.path(), &words).refused(2, &["b.json", "somebody"]);
    run(folder.path(), &words[..5]).refused(2, &["r.html exists already"]);
    run(folder.path(), &["bench", "report", "b.json", "-o", "x.html"])
        .refused(2, &["b.json: not results of `zkmargin bench`"]);
}

#[test]
fn grids_that_cannot_be_are_refused_with_value_and_bound() {
    let folder = tempfile::tempdir().unwrap();
    for (words, said) in [
        (["--legs", "64,0"], "--legs 0: 2 to 65536"),
        (["--legs", "65"], "--legs 65: legs come in pairs"),
        (["--equations", "2"], "--equations 2: 3 to 16384"),
        (
            ["--equations", "20"],
            "--equations 20: with --squares 24 there are at least 28",
        ),
        (["--squares", "2000"], "--squares 2000: 0 to 1024"),
        (["--k", "5"], "--k 5: 6 to 12"),
        (["--k", "6"], "--k 6"),
        (["--k", "six"], "`six` is neither `auto` nor a number"),
        (["--threads", "0"], "--threads 0: 1 to 256"),
        (["--batch", "1025"], "--batch 1025: 1 to 1024"),
        (["--runs", "0"], "--runs 0: 1 to 1000"),
        (["--legs", "x"], "--legs"),
        (["--out", "absent/r.json"], "there is no folder absent"),
    ] {
        let mut line = vec!["bench"];
        // Only at many legs are there too many columns.
        line.extend(if words == ["--k", "6"] {
            &["--legs", "20000"][..]
        } else {
            &[]
        });
        line.extend(words);
        run(folder.path(), &line).refused(2, &[said]);
    }
    let fit = [&tiny("1", "r.json")[..], &["--fit"]].concat();
    run(folder.path(), &fit).refused(
        2,
        &["--fit: there would be 1 program on one thread, a fit needs at least 10"],
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn results_of_another_machine_or_build_are_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &tiny("1", "r.json")).done();
    let path = folder.path().join("r.json");
    let results = read(&path);
    for (part, field, value, said) in [
        (
            "machine",
            "processor",
            json!("another processor"),
            "measured on another machine",
        ),
        ("build", "protocol", json!(1), "measured on another build"),
    ] {
        let mut other = results.clone();
        other[part][field] = value;
        std::fs::write(&path, other.to_string()).unwrap();
        run(folder.path(), &tiny("1", "r.json")).refused(2, &["r.json", said, "Give another --out"]);
        assert_eq!(read(&path), other);
    }
    // For a report any machine will do.
    run(folder.path(), &["bench", "report", "r.json", "-o", "r.html"]).done();
}

#[cfg(unix)]
#[test]
fn what_a_killed_run_has_measured_is_kept_and_gone_on_with() {
    for signal in ["-KILL", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        let mut words = tiny("1", "r.json");
        words[4] = "4,5,6,7";
        let mut child = tool(folder.path(), &words);
        let points = || read(&path)["points"].as_array().unwrap().len();
        let deadline = Instant::now() + Duration::from_secs(120);
        while !path.exists() || points() == 0 {
            assert!(Instant::now() < deadline, "waited in vain");
            sleep(Duration::from_millis(5));
        }
        let status = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
        assert!(!child.wait().unwrap().success());
        let before = read(&path);
        let kept = before["points"].as_array().unwrap().len();
        assert!((1..8).contains(&kept), "{kept}");
        let again = [&["--json"], &words[..]].concat();
        // A process that it was just starting has its lock for a moment longer.
        let mut ran = run(folder.path(), &again);
        while ran.err.contains("is at work on it") {
            assert!(Instant::now() < deadline, "{}", ran.err);
            sleep(Duration::from_millis(5));
            ran = run(folder.path(), &again);
        }
        let done = ran.done().json();
        assert_eq!((&done["skipped"], &done["measured"]), (&json!(kept), &json!(8 - kept)));
        let after = read(&path);
        assert_eq!(
            after["points"].as_array().unwrap()[..kept],
            before["points"].as_array().unwrap()[..]
        );
        assert_eq!(points(), 8);
    }
}

fn tool(folder: &Path, words: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_zkmargin"))
        .args(words)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_fitted_cost_model_is_what_model_check_goes_by() {
    let folder = tempfile::tempdir().unwrap();
    let in_cache = |at: &Path, words: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_zkmargin"))
            .args(words)
            .current_dir(at)
            .env("XDG_CACHE_HOME", folder.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice::<Value>(&done.stdout).unwrap()
    };
    let check = [
        "--json",
        "model",
        "check",
        "paradex-pm",
        "--universe",
        "universe.json",
        "--snapshot",
        "snapshot.json",
    ];
    let source = || {
        let figures = in_cache(desk().path(), &check)["figures"].take();
        figures["cost_model"].as_str().unwrap().to_owned()
    };
    assert!(source().starts_with("built in, of measurements on "));
    let words = [
        "--json",
        "bench",
        "--legs",
        "64,128,200",
        "--equations",
        "4,20,40,60",
        "--squares",
        "0",
        "--threads",
        "1",
        "--batch",
        "1,2",
        "--runs",
        "1",
        "--fit",
        "-o",
        "r.json",
    ];
    let fitted = in_cache(folder.path(), &words);
    assert_eq!(fitted["cost_model"]["rule"]["programs"], 12);
    assert!(folder.path().join("zkmargin/cost-model.json").exists());
    assert!(source().starts_with("fitted on 20"), "{}", source());
}

#[test]
fn ticks_are_measured_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["--json", "bench", "tick", "--preset", "dydx,paradex-pm", "--ticks", "2"];
    let answer = run(folder.path(), &words).done().json();
    assert_eq!(answer["kind"], "bench-tick");
    for (ticks, preset) in answer["presets"].as_array().unwrap().iter().zip(["dydx", "paradex-pm"]) {
        assert_eq!((&ticks["preset"], &ticks["ticks"]), (&json!(preset), &json!(2)));
        let steps = ticks["steps"].as_array().unwrap();
        let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            ["import", "attest", "check", "compile", "prove", "recheck", "verdict"]
        );
        let worst = |value: &Value| value["worst_ms"].as_f64().filter(|ms| *ms > 0.0).unwrap();
        // The longest tick takes no longer than the longest of each step, and no less than the longest step.
        let total = worst(&ticks["total"]);
        let each: Vec<f64> = steps.iter().map(worst).collect();
        assert!(total <= each.iter().sum::<f64>() * 1.001);
        assert!(each.iter().all(|step| *step <= total));
    }
    run(folder.path(), &["bench", "tick", "--ticks", "0"]).refused(2, &["--ticks 0: 1 to 43000 are possible"]);
    run(folder.path(), &["bench", "tick", "--preset", "nobody"]).refused(2, &["`nobody`", "paradex-pm"]);
}

#[test]
fn reference_is_the_same_whatever_threads_the_library_has() {
    let folder = tempfile::tempdir().unwrap();
    let reference = |threads: &str, out: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zkmargin"));
        command.args(tiny("1", out)).current_dir(folder.path());
        let done = command.env("RAYON_NUM_THREADS", threads).stdout(Stdio::null()).status();
        assert!(done.unwrap().success());
        let results = read(&folder.path().join(out));
        let points = results["points"].as_array().unwrap().iter();
        points
            .map(|point| point["warm"]["prove"]["reference_ms"].as_f64().unwrap())
            .fold(f64::INFINITY, f64::min)
    };
    let (one, eight) = (reference("1", "one.json"), reference("8", "eight.json"));
    // On eight threads it was four times as much; a machine with other work is no more than twice as slow.
    assert!((0.4..2.5).contains(&(eight / one)), "{one} and {eight} ms");
}

#[test]
fn figures_that_nobody_measured_are_refused_by_a_report() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &tiny("1", "r.json")).done();
    let path = folder.path().join("r.json");
    let results = read(&path);
    for (figure, said) in [(json!(1e308), "relative: 1e+308"), (json!(-5.0), "relative: -5.0")] {
        let mut changed = results.clone();
        changed["points"][0]["warm"]["prove"]["relative"] = figure;
        std::fs::write(&path, changed.to_string()).unwrap();
        run(folder.path(), &["bench", "report", "r.json", "-o", "r.html"])
            .refused(2, &["r.json: not results", said, "expected figures from 0 to 1e15"]);
    }
}

#[test]
fn one_process_at_a_time_adds_to_a_file_and_one_program_stands_in_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut slow = tiny("1", "r.json");
    slow[4] = "4,5,6,7,8";
    let mut child = tool(folder.path(), &slow);
    let lock = folder.path().join("r.json.lock");
    let deadline = Instant::now() + Duration::from_secs(120);
    while !lock.exists() {
        assert!(Instant::now() < deadline, "waited in vain");
        sleep(Duration::from_millis(2));
    }
    run(folder.path(), &tiny("1", "r.json")).refused(2, &["r.json.lock: another zkmargin is at work on it"]);
    child.kill().unwrap();
    child.wait().unwrap();

    run(folder.path(), &tiny("1", "s.json")).done();
    run(folder.path(), &tiny("1,2", "s.json")).refused(
        2,
        &[
            "s.json",
            "was measured with --runs 1 --batch 1, asked for are --runs 1 --batch 1,2. ",
            "Give another --out",
        ],
    );
    assert!(!folder.path().join("s.json.lock").exists());
}
