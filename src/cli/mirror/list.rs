//! `mirror list`.

use clap::Args;
use comfy_table::{Cell, CellAlignment};

use super::super::administration::Administration;
use super::super::output;
use super::DirectionArg;
use super::view::{self, View};
use crate::mirror::key::Direction;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only mirrors that go this way
    direction: Option<DirectionArg>,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(administration: &Administration, args: &ListArgs) -> anyhow::Result<()> {
    let mut views = Vec::new();
    for direction in Direction::ALL {
        if args.direction.is_none_or(|only| Direction::from(only) == direction) {
            let mirrors = administration.store.list(direction).await?;
            views.extend(View::load_all(administration, &mirrors).await?);
        }
    }
    if args.json {
        return output::json(&views);
    }
    if views.is_empty() {
        return output::line("no mirrors; `sidemirror mirror add` adds one");
    }
    let mut table = output::table(&[
        "MIRROR",
        "REPOSITORY",
        "URL",
        "STATUS",
        "REFS CHANGED",
        "DURATION",
        "LAST UPDATE",
        "NEXT UPDATE",
    ]);
    for view in &views {
        table.add_row([
            Cell::new(view.name()),
            Cell::new(&view.repository),
            Cell::new(&view.url),
            output::status(view.status()),
            Cell::new(view.last_refs_changed.map_or("-".to_owned(), |n| n.to_string()))
                .set_alignment(CellAlignment::Right),
            Cell::new(view.duration()).set_alignment(CellAlignment::Right),
            Cell::new(view::relative(view.last_update_at)),
            Cell::new(view.next_update()),
        ]);
    }
    output::print(&mut table)
}
