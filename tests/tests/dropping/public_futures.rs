//! The futures that the source of `montrs-orm` makes public.

use std::{collections::BTreeSet, fs, path::Path};
use syn::{ImplItem, Item, ItemImpl, ReturnType, Type, TypeParamBound, Visibility};

/// Traits whose implementor is awaited, with the method.
const AWAITED: &[(&str, &str)] = &[("IntoFuture", "into_future"), ("Future", "poll"), ("Stream", "poll_next")];

/// All of them, as `Type::method`, or the name of a free function.
pub(crate) fn public_futures() -> BTreeSet<String> {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").join("host/src");
    let mut found = BTreeSet::new();
    in_directory(&host, &mut found);
    found
}

fn in_directory(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            in_directory(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source can be read");
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            in_items(&file.items, found);
        }
    }
}

fn in_items(items: &[Item], found: &mut BTreeSet<String>) {
    for item in items {
        match item {
            Item::Fn(function) if is_public_future(&function.vis, &function.sig) => {
                found.insert(function.sig.ident.to_string());
            }
            Item::Mod(module) if module.ident != "tests" => {
                in_items(module.content.as_ref().map_or(&[], |(_, items)| items), found);
            }
            Item::Impl(block) => in_impl(block, found),
            _ => {}
        }
    }
}

fn in_impl(block: &ItemImpl, found: &mut BTreeSet<String>) {
    let Type::Path(of) = &*block.self_ty else { return };
    let of = &of.path.segments.last().expect("a path has segments").ident;
    if let Some((implemented, _)) = &block.trait_ {
        let name = &implemented.segments.last().expect("a path has segments").ident;
        found.extend(AWAITED.iter().filter(|(of, _)| name == of).map(|(_, method)| format!("{of}::{method}")));
    }
    for item in &block.items {
        if let ImplItem::Fn(method) = item
            && is_public_future(&method.vis, &method.sig)
        {
            found.insert(format!("{of}::{}", method.sig.ident));
        }
    }
}

fn is_public_future(visibility: &Visibility, signature: &syn::Signature) -> bool {
    let is_future = |bound: &TypeParamBound| match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().is_some_and(|name| name.ident == "Future" || name.ident == "Stream")
        }
        _ => false,
    };
    let returns_future = match &signature.output {
        ReturnType::Type(_, of) => matches!(&**of, Type::ImplTrait(of) if of.bounds.iter().any(is_future)),
        ReturnType::Default => false,
    };
    matches!(visibility, Visibility::Public(_)) && (signature.asyncness.is_some() || returns_future)
}
