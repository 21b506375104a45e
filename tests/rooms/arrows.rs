//! Finds the paths that a source uses, from the root of the crate on.
#![cfg(test)]

use std::fmt;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};

/// A path used in a source, from the root of the crate on.
pub(crate) struct Arrow {
    target: Vec<String>,
    /// Where in the source it stands.
    pub(crate) line: usize,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crate::{}", self.target.join("::"))
    }
}

impl Arrow {
    /// Whether the path lies in this module, such as `mirror` or `mirror::refs`; everything lies in `*`.
    pub(crate) fn leads_into(&self, module: &str) -> bool {
        let lies_at = |(depth, name)| self.target.get(depth).is_some_and(|target| target == name);
        module == "*" || module.split("::").enumerate().all(lies_at)
    }
}

/// All paths in the tokens of this module that begin with `crate` or `super`.
pub(crate) fn find(tokens: TokenStream, module: &[String]) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    collect(tokens, module, &mut arrows);
    arrows
}

/// Modules written inside this one have a `super` of their own.
fn collect(tokens: TokenStream, module: &[String], arrows: &mut Vec<Arrow>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Ident(name) if name == "crate" => follow(&tokens, &mut at, Vec::new(), name.span(), arrows),
            TokenTree::Ident(name) if name == "super" => {
                let parent = module[..module.len().saturating_sub(1)].to_vec();
                follow(&tokens, &mut at, parent, name.span(), arrows);
            }
            TokenTree::Ident(name) if name == "mod" => {
                if let (Some(TokenTree::Ident(inner)), Some(TokenTree::Group(body))) =
                    (tokens.get(at), tokens.get(at + 1))
                {
                    let module = [module, &[inner.to_string()]].concat();
                    collect(body.stream(), &module, arrows);
                    at += 2;
                }
            }
            TokenTree::Group(group) => collect(group.stream(), module, arrows),
            _ => {}
        }
    }
}

/// Follows `::name::name::{…}` from `at` on; each leaf of a braced group is a path of its own.
fn follow(tokens: &[TokenTree], at: &mut usize, mut target: Vec<String>, begin: Span, arrows: &mut Vec<Arrow>) {
    let line = begin.start().line;
    let start = *at;
    while is_colons(tokens, *at) {
        match tokens.get(*at + 2) {
            Some(TokenTree::Ident(name)) if name == "super" => drop(target.pop()),
            Some(TokenTree::Ident(name)) => target.push(name.to_string()),
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => target.push("*".to_owned()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                *at += 3;
                return follow_each(group.stream(), &target, arrows);
            }
            _ => break,
        }
        *at += 3;
    }
    // `pub(crate)` and `pub(super)` are no paths.
    if *at > start {
        arrows.push(Arrow { target, line });
    }
}

fn follow_each(group: TokenStream, target: &[String], arrows: &mut Vec<Arrow>) {
    let tokens: Vec<_> = group.into_iter().collect();
    for branch in tokens.split(|token| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',')) {
        let Some(first) = branch.first() else { continue };
        let mut target = target.to_vec();
        match first {
            TokenTree::Ident(name) if name == "self" => {}
            name => target.push(name.to_string()),
        }
        if is_colons(branch, 1) {
            follow(branch, &mut 1, target, first.span(), arrows);
        } else {
            arrows.push(Arrow { target, line: first.span().start().line });
        }
    }
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |at| matches!(tokens.get(at), Some(TokenTree::Punct(colon)) if colon.as_char() == ':');
    is_colon(at) && is_colon(at + 1)
}
