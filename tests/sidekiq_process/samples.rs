//! Jobs by chance, as Ruby writes them.

use std::process::Stdio;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::rig::ruby::Ruby;
use crate::ruby::script;
use crate::ruby_texts;

/// For a Ruby that only looks at texts.
pub(crate) const NO_REDIS: &str = "redis://nowhere.invalid";

/// So many jobs as our strategy writes them, the same ones each time.
pub(crate) fn ours(count: usize) -> Vec<Vec<u8>> {
    let config = Config { rng_seed: RngSeed::Fixed(31), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    (0..count).map(|_| ruby_texts::job().new_tree(&mut runner).unwrap().current()).collect()
}

/// So many jobs as this Ruby writes them, the same ones each time.
pub(crate) fn rubys(ruby: Ruby, count: usize) -> Vec<Vec<u8>> {
    let mut command = ruby.command("ruby", NO_REDIS);
    let output =
        command.arg(script("random_json.rb")).arg(count.to_string()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}
