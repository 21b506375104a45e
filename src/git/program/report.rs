//! What became of each ref, as `git push --porcelain` says it.

use std::collections::HashMap;

/// By the far side's name of the ref: made, or why not.
pub(super) fn read(answer: &[u8]) -> HashMap<String, Result<(), String>> {
    let text = String::from_utf8_lossy(answer);
    text.lines().filter_map(line).map(|(name, result)| (name.to_owned(), result)).collect()
}

/// One line, in three parts divided by tabs: `!`, `FROM:TO`, `[remote rejected] (hook declined)`.
fn line(line: &str) -> Option<(&str, Result<(), String>)> {
    let mut parts = line.splitn(3, '\t');
    let (flag, names, summary) = (parts.next()?, parts.next()?, parts.next()?);
    let (_, name) = names.rsplit_once(':')?;
    if flag != "!" {
        return Some((name, Ok(())));
    }
    let reason = summary.split_once('(').and_then(|(_, reason)| reason.strip_suffix(')'));
    Some((name, Err(reason.unwrap_or(summary).to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ref_has_its_answer() {
        let answer = b"To http://127.0.0.1:1/far\n*\t0123:refs/heads/a\t[new branch]\n-\t:refs/heads/b\t[deleted]\n\
            !\t0123:refs/heads/c\t[remote rejected] (no (never))\n!\t0123:refs/tags/d\t[rejected] (stale info)\nDone\n";
        let read = read(answer);
        assert_eq!(read.len(), 4);
        assert_eq!(read["refs/heads/a"], Ok(()));
        assert_eq!(read["refs/heads/b"], Ok(()));
        assert_eq!(read["refs/heads/c"], Err("no (never)".to_owned()));
        assert_eq!(read["refs/tags/d"], Err("stale info".to_owned()));
    }
}
