//! Every mutant of a file, written into its code behind a switch.

use std::collections::BTreeSet;
use std::mem::discriminant;

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::*;

/// One change, which its switch turns on.
#[derive(Clone, Debug)]
pub struct Mutant {
    pub id: u32,
    pub file: String,
    pub line: usize,
    /// Type and name of the function.
    pub function: String,
    pub change: String,
}

/// The switches: a function of the crate that each call names by number.
pub const SWITCH: &str = r#"
#[allow(missing_docs)]
pub(crate) fn mutant(id: u32) -> bool {
    static ON: std::sync::LazyLock<Option<u32>> =
        std::sync::LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|id| id.parse().ok()));
    *ON == Some(id)
}
"#;

/// Rewrites file after file. Mutants are numbered as they are found, those of `dropped` as well, so that numbers do not depend on it.
#[derive(Debug, Default)]
pub struct Rewriter {
    dropped: BTreeSet<u32>,
    pub mutants: Vec<Mutant>,
    next: u32,
    file: String,
    /// Types and functions around the place that is visited.
    around: Vec<String>,
}

/// Derived in all but name: what they say has tests of its own, or is only shown.
const TRAITS_LEFT_OUT: [&str; 5] = ["Debug", "Display", "Drop", "JsonSchema", "Zeroize"];
/// Methods whose closure answers yes or no.
const ASKING: [&str; 13] = [
    "all",
    "any",
    "filter",
    "find",
    "is_err_and",
    "is_none_or",
    "is_ok_and",
    "is_some_and",
    "partition_point",
    "position",
    "retain",
    "skip_while",
    "take_while",
];
/// Methods that are exchanged, one for the other.
const OPPOSITES: [(&str, &str); 14] = [
    ("all", "any"),
    ("checked_add", "checked_sub"),
    ("first", "last"),
    ("first_key_value", "last_key_value"),
    ("floor", "ceil"),
    ("is_none", "is_some"),
    ("is_none_or", "is_some_and"),
    ("max", "min"),
    ("max_by", "min_by"),
    ("max_by_key", "min_by_key"),
    ("next", "next_back"),
    ("round_down", "round_up"),
    ("saturating_add", "saturating_sub"),
    ("union", "intersection"),
];

impl Rewriter {
    pub fn without(dropped: BTreeSet<u32>) -> Rewriter {
        Rewriter {
            dropped,
            ..Rewriter::default()
        }
    }

    /// The file with all its mutants.
    ///
    /// # Errors
    /// If it is not Rust.
    pub fn rewrite(&mut self, file: &str, text: &str) -> Result<String> {
        let mut tree = parse_file(text)?;
        file.clone_into(&mut self.file);
        self.visit_file_mut(&mut tree);
        Ok(prettyplease::unparse(&tree))
    }

    /// The switch of a new mutant, unless it was dropped or stands outside of functions.
    fn switch(&mut self, span: Span, change: String) -> Option<Expr> {
        if self.around.is_empty() {
            return None;
        }
        self.next += 1;
        if self.dropped.contains(&self.next) {
            return None;
        }
        self.mutants.push(Mutant {
            id: self.next,
            file: self.file.clone(),
            line: span.start().line,
            function: self.around.join("::"),
            change,
        });
        let id = LitInt::new(&self.next.to_string(), Span::call_site());
        Some(parse_quote!(crate::mutant(#id)))
    }

    /// `e`, or `other` where the switch is on.
    fn or(&mut self, e: &mut Expr, other: &impl ToTokens, span: Span, change: String) {
        if let Some(on) = self.switch(span, change) {
            *e = parse_quote!((if #on { #other } else { #e }));
        }
    }

    /// An answer that is always yes, and one that is always no.
    fn answer(&mut self, e: &mut Expr, original: &Expr) {
        if matches!(original, Expr::Lit(_)) {
            return;
        }
        let (span, text) = (original.span(), short(original));
        self.or(e, &quote!(true), span, format!("true for `{text}`"));
        self.or(e, &quote!(false), span, format!("false for `{text}`"));
    }

    /// A condition, clause by clause where clauses bind names.
    fn condition(&mut self, e: &mut Expr, original: &Expr) {
        match (&mut *e, original) {
            (_, Expr::Let(_)) => {}
            (Expr::Binary(both), Expr::Binary(originals)) if binds(original) => {
                self.condition(&mut both.left, &originals.left);
                self.condition(&mut both.right, &originals.right);
            }
            _ => self.answer(e, original),
        }
    }

    fn function(&mut self, signature: &Signature, block: &mut Block) {
        // What constants are computed with cannot ask for a switch.
        if signature.constness.is_some() {
            return;
        }
        self.around.push(signature.ident.to_string());
        let values: Vec<Option<Expr>> = match &signature.output {
            ReturnType::Default => vec![None],
            ReturnType::Type(_, of) => values(of, 0).into_iter().map(Some).collect(),
        };
        let mut returns = Vec::new();
        for value in values {
            let text = value.as_ref().map_or_else(|| "()".to_owned(), short);
            if let Some(on) = self.switch(signature.ident.span(), format!("return {text}")) {
                returns.push(parse_quote!(if #on { return #value; }));
            }
        }
        self.visit_block_mut(block);
        block.stmts.splice(0..0, returns);
        self.around.pop();
    }

    fn binary(&mut self, e: &mut Expr, original: &ExprBinary) {
        let Expr::Binary(own) = e else { return };
        if matches!(own.op, BinOp::And(_) | BinOp::Or(_)) {
            let neutral = LitBool::new(matches!(own.op, BinOp::And(_)), Span::call_site());
            for (side, of) in [(&mut own.left, &original.left), (&mut own.right, &original.right)] {
                // The clauses of a longer chain, and not the chain without its last.
                if !matches!(&**of, Expr::Binary(inner) if discriminant(&inner.op) == discriminant(&original.op)) {
                    self.or(side, &neutral, of.span(), format!("clause left out `{}`", short(of)));
                }
            }
        }
        let mut other = own.clone();
        for op in exchanges(original.op) {
            let change = format!("`{}` for `{}`", op.to_token_stream(), short(original));
            other.op = op;
            self.or(e, &other, original.span(), change);
        }
    }

    fn method(&mut self, e: &mut Expr, original: &ExprMethodCall) {
        let Expr::MethodCall(own) = e else { return };
        let name = original.method.to_string();
        if let (Some(Expr::Closure(asked)), Some(Expr::Closure(of))) = (own.args.first_mut(), original.args.first())
            && ASKING.contains(&&*name)
            && !matches!(*of.body, Expr::Block(_))
        {
            self.answer(&mut asked.body, &of.body);
        }
        if let ("chain", Some(more), Some(of)) = (&*name, own.args.first_mut(), original.args.first())
            && let Some(on) = self.switch(of.span(), format!("chain left out `{}`", short(of)))
        {
            *more = parse_quote!(IntoIterator::into_iter(#more).filter(|_| !#on));
        }
        let opposite = OPPOSITES.iter().find_map(|(one, other)| match &*name {
            name if name == *one => Some(*other),
            name if name == *other => Some(*one),
            _ => None,
        });
        if let Some(opposite) = opposite {
            let mut other = own.clone();
            other.method = Ident::new(opposite, Span::call_site());
            let change = format!("{opposite} for `{}`", short(original));
            self.or(e, &other, original.method.span(), change);
        }
    }
}

impl VisitMut for Rewriter {
    fn visit_item_mut(&mut self, item: &mut Item) {
        match item {
            Item::Mod(own) if !is_test(&own.attrs) => visit_mut::visit_item_mod_mut(self, own),
            Item::Fn(own) if !is_test(&own.attrs) => self.function(&own.sig, &mut own.block),
            Item::Impl(own) if !is_test(&own.attrs) => {
                let of = own.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
                if of.is_some_and(|of| TRAITS_LEFT_OUT.contains(&&*of.ident.to_string())) {
                    return;
                }
                self.around.push(short(&own.self_ty));
                for inner in &mut own.items {
                    if let ImplItem::Fn(inner) = inner
                        && !is_test(&inner.attrs)
                    {
                        self.function(&inner.sig, &mut inner.block);
                    }
                }
                self.around.pop();
            }
            _ => {}
        }
    }

    // Where constants stand, or no code.
    fn visit_expr_const_mut(&mut self, _: &mut ExprConst) {}
    fn visit_type_mut(&mut self, _: &mut Type) {}
    fn visit_pat_mut(&mut self, _: &mut Pat) {}
    fn visit_generic_argument_mut(&mut self, _: &mut GenericArgument) {}
    fn visit_expr_repeat_mut(&mut self, repeat: &mut ExprRepeat) {
        self.visit_expr_mut(&mut repeat.expr);
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        if let Some((_, guard)) = &mut arm.guard {
            let original = guard.clone();
            self.visit_expr_mut(guard);
            self.condition(guard, &original);
        }
        self.visit_expr_mut(&mut arm.body);
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        for statement in &mut block.stmts {
            let original = statement.clone();
            visit_mut::visit_stmt_mut(self, statement);
            if let (Stmt::Expr(e, Some(_)), Stmt::Expr(of, _)) = (&mut *statement, &original)
                && does_something(of)
                && let Some(on) = self.switch(of.span(), format!("left out `{}`", short(of)))
            {
                *statement = parse_quote!(if !#on { #e; });
            }
        }
    }

    fn visit_expr_mut(&mut self, e: &mut Expr) {
        let original = e.clone();
        match e {
            Expr::Macro(_) => return,
            Expr::Let(own) => return self.visit_expr_mut(&mut own.expr),
            _ => visit_mut::visit_expr_mut(self, e),
        }
        let span = original.span();
        match (&mut *e, &original) {
            (Expr::If(own), Expr::If(of)) => self.condition(&mut own.cond, &of.cond),
            (Expr::While(own), Expr::While(of)) if !binds(&of.cond) => {
                let change = format!("never `{}`", short(&of.cond));
                self.or(&mut own.cond, &quote!(false), span, change);
            }
            (_, Expr::Binary(of)) if !binds(&original) => self.binary(e, of),
            (_, Expr::MethodCall(of)) => self.method(e, of),
            (Expr::Unary(own), Expr::Unary(of))
                if matches!(of.op, UnOp::Not(_) | UnOp::Neg(_)) && !matches!(*of.expr, Expr::Lit(_)) =>
            {
                let inner = own.expr.clone();
                self.or(e, &inner, span, format!("without sign `{}`", short(of)));
            }
            (_, Expr::Lit(ExprLit { lit: Lit::Int(of), .. })) => {
                if let Ok(value) = of.base10_parse::<u128>() {
                    let more = LitInt::new(&format!("{}{}", value.wrapping_add(1), of.suffix()), span);
                    self.or(e, &more, span, format!("{more} for {of}"));
                }
            }
            _ => {}
        }
    }
}

fn short(tokens: &impl ToTokens) -> String {
    tokens.to_token_stream().to_string().chars().take(110).collect()
}

/// Whether it is a condition that binds names, and no expression of its own.
fn binds(e: &Expr) -> bool {
    match e {
        Expr::Let(_) => true,
        Expr::Binary(own) => binds(&own.left) || binds(&own.right),
        Expr::Paren(own) => binds(&own.expr),
        _ => false,
    }
}

fn does_something(e: &Expr) -> bool {
    match e {
        Expr::MethodCall(_) | Expr::Call(_) | Expr::Try(_) | Expr::Assign(_) => true,
        Expr::Binary(own) => assigns(own.op),
        _ => false,
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.to_token_stream().to_string();
        text == "# [test]" || text.contains("cfg (test") || text.contains("cfg (all (test")
    })
}

fn assigns(op: BinOp) -> bool {
    use BinOp::*;
    matches!(
        op,
        AddAssign(_)
            | SubAssign(_)
            | MulAssign(_)
            | DivAssign(_)
            | RemAssign(_)
            | BitXorAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}

fn exchanges(op: BinOp) -> Vec<BinOp> {
    use BinOp::*;
    match op {
        Eq(_) => vec![parse_quote!(!=)],
        Ne(_) => vec![parse_quote!(==)],
        And(_) => vec![parse_quote!(||)],
        Or(_) => vec![parse_quote!(&&)],
        Lt(_) => vec![parse_quote!(<=), parse_quote!(>)],
        Le(_) => vec![parse_quote!(<), parse_quote!(>)],
        Gt(_) => vec![parse_quote!(>=), parse_quote!(<)],
        Ge(_) => vec![parse_quote!(>), parse_quote!(<)],
        Add(_) => vec![parse_quote!(-), parse_quote!(*)],
        Sub(_) => vec![parse_quote!(+)],
        Mul(_) => vec![parse_quote!(+), parse_quote!(/)],
        Div(_) => vec![parse_quote!(*), parse_quote!(%)],
        Rem(_) => vec![parse_quote!(/)],
        BitAnd(_) => vec![parse_quote!(|)],
        BitOr(_) | BitXor(_) => vec![parse_quote!(&)],
        Shl(_) => vec![parse_quote!(>>)],
        Shr(_) => vec![parse_quote!(<<)],
        AddAssign(_) => vec![parse_quote!(-=)],
        SubAssign(_) | MulAssign(_) => vec![parse_quote!(+=)],
        _ => vec![],
    }
}

/// Values of a type that a function may return at once.
fn values(of: &Type, depth: usize) -> Vec<Expr> {
    match of {
        Type::Path(own) => {
            let Some(last) = own.path.segments.last() else {
                return vec![];
            };
            let inner = match &last.arguments {
                PathArguments::AngleBracketed(list) => list.args.iter().find_map(|argument| match argument {
                    GenericArgument::Type(inner) => Some(inner),
                    _ => None,
                }),
                _ => None,
            };
            let inner = inner
                .filter(|_| depth < 2)
                .map_or_else(Vec::new, |inner| values(inner, depth + 1));
            match &*last.ident.to_string() {
                "bool" => vec![parse_quote!(true), parse_quote!(false)],
                "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => vec![parse_quote!(0), parse_quote!(1)],
                "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => {
                    vec![parse_quote!(0), parse_quote!(1), parse_quote!(-1)]
                }
                "String" => vec![parse_quote!(String::new()), parse_quote!(String::from("xyzzy"))],
                "Decimal" => vec![parse_quote!(Decimal::ZERO), parse_quote!(Decimal::ONE)],
                "Result" => inner.into_iter().map(|value| parse_quote!(Ok(#value))).collect(),
                "Option" => {
                    let some = inner.into_iter().map(|value| parse_quote!(Some(#value)));
                    std::iter::once(parse_quote!(None)).chain(some).collect()
                }
                "Vec" => {
                    let one = inner.into_iter().map(|value| parse_quote!(vec![#value]));
                    std::iter::once(parse_quote!(Vec::new())).chain(one).collect()
                }
                _ => vec![parse_quote!(Default::default())],
            }
        }
        Type::Tuple(own) if own.elems.is_empty() => vec![parse_quote!(())],
        Type::Tuple(_) => vec![parse_quote!(Default::default())],
        Type::Reference(own) => match &*own.elem {
            Type::Path(path) if path.path.is_ident("str") => vec![parse_quote!(""), parse_quote!("xyzzy")],
            Type::Slice(_) => vec![parse_quote!(&[])],
            _ => vec![],
        },
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "
        fn least(rows: &[u32], cap: u32) -> u32 {
            if rows.is_empty() && cap > 0 { return cap; }
            let mut sum = 7;
            rows.iter().filter(|row| **row != cap).for_each(|row| sum += row);
            check(sum);
            sum.min(cap)
        }
        const fn fixed() -> u32 { 1 }
        #[cfg(test)]
        mod tests { fn own() -> bool { true } }
    ";

    fn changes(dropped: &[u32]) -> (Vec<(u32, String)>, String) {
        let mut rewriter = Rewriter::without(dropped.iter().copied().collect());
        let text = rewriter.rewrite("one.rs", CODE).unwrap();
        (
            rewriter.mutants.into_iter().map(|one| (one.id, one.change)).collect(),
            text,
        )
    }

    #[test]
    fn every_kind_of_change_is_made_once_and_said_in_the_words_of_the_code() {
        let (found, text) = changes(&[]);
        let found: Vec<&str> = found.iter().map(|(_, change)| &**change).collect();
        assert_eq!(
            found,
            [
                "return 0",
                "return 1",
                "1 for 0",
                "`>=` for `cap > 0`",
                "`<` for `cap > 0`",
                "clause left out `rows . is_empty ()`",
                "clause left out `cap > 0`",
                "`||` for `rows . is_empty () && cap > 0`",
                "true for `rows . is_empty () && cap > 0`",
                "false for `rows . is_empty () && cap > 0`",
                "8 for 7",
                "`==` for `* * row != cap`",
                "true for `* * row != cap`",
                "false for `* * row != cap`",
                "`-=` for `sum += row`",
                "left out `rows . iter () . filter (| row | * * row != cap) . for_each (| row | sum += row)`",
                "left out `check (sum)`",
                "max for `sum . min (cap)`",
            ]
        );
        assert!((1..=found.len()).all(|id| text.contains(&format!("crate::mutant({id})"))));
    }

    #[test]
    fn mutant_that_is_dropped_leaves_the_numbers_of_the_others() {
        let (all, _) = changes(&[]);
        let (some, text) = changes(&[4, 9]);
        assert_eq!(
            some,
            all.into_iter()
                .filter(|(id, _)| ![4, 9].contains(id))
                .collect::<Vec<_>>()
        );
        assert!(!text.contains("mutant(4)"));
    }
}
