//! What objects are, asked of many at once.

use super::ByProgram;
use crate::git::GitError;
use crate::mirror::refs::ObjectId;

impl ByProgram {
    /// The kind of each object (`commit`, `tag`, `tree`, `blob`), or nothing if it is not here.
    pub(super) fn kinds(&self, ids: &[ObjectId]) -> Result<Vec<Option<String>>, GitError> {
        let lines: Vec<String> = ids.iter().map(ObjectId::to_string).collect();
        self.ask(&lines)
    }

    /// Whether both lead to commits that are here.
    pub(super) fn are_commits(&self, ids: [&str; 2]) -> Result<bool, GitError> {
        let lines = ids.map(|id| format!("{id}^{{commit}}"));
        Ok(self.ask(&lines)?.iter().all(Option::is_some))
    }

    fn ask(&self, lines: &[String]) -> Result<Vec<Option<String>>, GitError> {
        let asked = lines.join("\n") + "\n";
        let answers = self.run(&["cat-file", "--batch-check=%(objecttype)"], asked.as_bytes())?;
        let kinds = ["commit", "tag", "tree", "blob"];
        Ok(answers.lines().map(|line| kinds.contains(&line).then(|| line.to_owned())).collect())
    }
}
