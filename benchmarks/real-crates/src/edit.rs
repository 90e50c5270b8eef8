//! Changes of a source text. Pure: text in, text out.

use crate::Result;
use crate::list::{Edit, Function};

/// Puts the attribute in front of the function.
pub(crate) fn annotate(source: &str, function: &Function) -> Result<String> {
    let name = &function.name;
    let heads: Vec<usize> = source
        .split_inclusive('\n')
        .scan(0, |start, line| {
            let at = *start;
            *start += line.len();
            Some((at, line))
        })
        .filter(|(_, line)| declares(line, name))
        .map(|(at, line)| at + line.len() - line.trim_start().len())
        .collect();
    let at = match (heads.as_slice(), function.occurrence) {
        ([], _) => return Err(format!("{}: no function `{name}`", function.file).into()),
        ([only], None) => *only,
        (several, None) => {
            let message = format!(
                "{}: {} functions `{name}`: say which by `occurrence = N`",
                function.file,
                several.len()
            );
            return Err(message.into());
        }
        (heads, Some(number)) => *heads
            .get(number.wrapping_sub(1))
            .ok_or_else(|| format!("{}: no {number}. function `{name}`", function.file))?,
    };
    let options = function.options.as_ref().map(|options| format!("({options})"));
    let attribute = format!("#[amorsize::tune{}] ", options.unwrap_or_default());
    Ok(format!("{}{attribute}{}", &source[..at], &source[at..]))
}

/// Whether a line begins the function `name`: visibility, `unsafe`, `fn` and the name, as rustfmt puts them.
fn declares(line: &str, name: &str) -> bool {
    let Some((before, after)) = line.split_once("fn ") else { return false };
    // An attribute that has been put there.
    let before = before.rsplit_once(']').map_or(before, |(_, rest)| rest);
    let is_head = before
        .split_whitespace()
        .all(|word| word == "unsafe" || word.starts_with("pub") || word.ends_with(')'));
    let rest = after.strip_prefix(name);
    is_head && rest.is_some_and(|rest| rest.starts_with(['(', '<']))
}

/// Replaces what the edit says, as often as it says.
pub(crate) fn replace(source: &str, edit: &Edit) -> Result<String> {
    let found = source.matches(&edit.from).count();
    if found != edit.times {
        let Edit { file, from, times, .. } = edit;
        return Err(format!("{file}: `{from}` occurs {found} times, not {times}").into());
    }
    Ok(source.replace(&edit.from, &edit.to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
/// fn total(xs: &[u32])
#[cfg(feature = \"a\")]
pub(crate) fn total<T>(xs: &[T]) -> T {
    fn totals() {}
    total_of(xs)
}

impl Sum {
    unsafe fn total(&self) {}
}
";

    fn function(name: &str, occurrence: Option<usize>, options: Option<&str>) -> Function {
        let options = options.map(str::to_owned);
        Function { file: "src/lib.rs".to_owned(), name: name.to_owned(), occurrence, options }
    }

    #[test]
    fn the_attribute_comes_right_before_the_head_and_nothing_else_changes() {
        let annotated = annotate(SOURCE, &function("totals", None, None)).expect("there is one");
        assert!(annotated.contains("\n    #[amorsize::tune] fn totals() {}\n"), "{annotated}");
        assert_eq!(annotated.replace("#[amorsize::tune] ", ""), SOURCE);
        let second = function("total", Some(2), Some("cost = 2"));
        let annotated = annotate(SOURCE, &second).expect("there are two");
        let expected = "    #[amorsize::tune(cost = 2)] unsafe fn total(&self)";
        assert!(annotated.contains(expected), "{annotated}");
        let both = annotate(&annotated, &function("total", Some(1), None)).expect("still two");
        assert_eq!(annotate(&both, &function("total", Some(3), None)).map_err(drop), Err(()));
        assert_eq!(both.matches("#[amorsize::tune").count(), 2, "{both}");
        let first = annotate(SOURCE, &function("total", Some(1), None)).expect("there are two");
        assert!(first.contains("#[amorsize::tune] pub(crate) fn total<T>"), "{first}");
    }

    #[test]
    fn a_function_that_is_not_there_or_not_the_only_one_is_an_error() {
        for (name, occurrence, part) in [
            ("absent", None, "no function `absent`"),
            ("total", None, "2 functions `total`"),
            ("total", Some(3), "no 3. function"),
            ("total", Some(0), "no 0. function"),
            ("total_of", None, "no function"),
        ] {
            let error = annotate(SOURCE, &function(name, occurrence, None)).expect_err(name);
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_replacement_must_occur_as_often_as_is_said() {
        let edit = |times| Edit {
            file: "src/lib.rs".to_owned(),
            from: "unsafe ".to_owned(),
            to: String::new(),
            times,
        };
        let replaced = replace(SOURCE, &edit(1)).expect("it occurs once");
        assert!(!replaced.contains("unsafe") && replaced.len() + 7 == SOURCE.len());
        let error = replace(SOURCE, &edit(2)).expect_err("it does not occur twice").to_string();
        assert!(error.contains("occurs 1 times, not 2"), "{error}");
    }
}
