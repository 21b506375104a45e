//! What objects are, asked of many at once.

use super::ByProgram;
use crate::git::GitError;
use crate::mirror::refs::ObjectId;

impl ByProgram {
    /// The kind of each object (`commit`, `tag`, `tree`, `blob`), or nothing if it is not here.
    pub(super) fn kinds(&self, ids: &[ObjectId]) -> Result<Vec<Option<String>>, GitError> {
        let asked: String = ids.iter().map(|id| format!("{id}\n")).collect();
        self.ask(&asked)
    }

    /// Whether both lead to commits that are here.
    pub(super) fn are_commits(&self, ids: [&str; 2]) -> Result<bool, GitError> {
        let asked: String = ids.iter().map(|id| format!("{id}^{{commit}}\n")).collect();
        Ok(self.ask(&asked)?.iter().all(Option::is_some))
    }

    fn ask(&self, asked: &str) -> Result<Vec<Option<String>>, GitError> {
        let answers = self.run(&["cat-file", "--batch-check=%(objecttype)"], asked.as_bytes())?;
        let kinds = ["commit", "tag", "tree", "blob"];
        Ok(answers.lines().map(|line| kinds.contains(&line).then(|| line.to_owned())).collect())
    }
}
