use std::env;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{DeriveInput, Error, GenericParam, Result};

use crate::config::Config;
use crate::digest;
use crate::files::{File, Finder};
use crate::item::Item;
use crate::scan::{self, Fragment};

pub(crate) fn derive(tokens: TokenStream) -> TokenStream {
    let root = env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
    syn::parse2(tokens)
        .and_then(|input: DeriveInput| {
            let made = Made::of(&input, &root)?;
            Ok(made.implementation(&input))
        })
        .unwrap_or_else(Error::into_compile_error)
}

/// What is known of a template when the program is compiled.
pub(crate) struct Made {
    name: String,
    pub(crate) digest: String,
    escaping: String,
    /// With the names of the files in which they are written.
    fragments: Vec<(String, Fragment)>,
    contents: [Vec<syn::Type>; 2],
}

impl Made {
    /// In the package in the folder `root`.
    pub(crate) fn of(input: &DeriveInput, root: &Path) -> Result<Self> {
        let error = |message: String| Error::new_spanned(&input.ident, message);
        let item = Item::of(input)?;
        let config = Config::read(root, item.config.as_deref());
        let finder = Finder {
            root,
            config: &config,
        };
        let name = match &*item.paths {
            [path] => path.clone(),
            _ => input.ident.to_string(),
        };
        let escaping = config.escaping(&item.extension);
        let files = finder.closure(&item.paths, item.sources).map_err(error)?;
        let fragments = fragments(&files, !config.has_own_syntax()).map_err(error)?;
        let digest = digest::of(&input.to_token_stream().to_string(), &config.text, &files);
        let contents = [item.fields, item.renders];
        Ok(Self {
            name,
            digest,
            escaping,
            fragments,
            contents,
        })
    }

    fn implementation(&self, input: &DeriveInput) -> TokenStream {
        let Self {
            name,
            digest,
            escaping,
            ..
        } = self;
        let (generics, arguments, bounds) = input.generics.split_for_impl();
        let ident = &input.ident;
        let fragments = self.fragments.iter().map(|(file, fragment)| {
            let Fragment {
                name,
                line,
                is_one_for_a_loop,
                ..
            } = fragment;
            let name = name.as_deref().unwrap_or_default();
            let region = option(fragment.region.as_ref());
            let time = option(fragment.expiration_time.as_ref());
            quote!(parts::Fragment {
                template: #file,
                name: #name,
                line: #line,
                region: #region,
                expiration_time: #time,
                is_one_for_a_loop: #is_one_for_a_loop,
            })
        });
        let [fields, renders] = &self.contents;
        // One static is there for all types that a generic one stands for.
        let mut parameters = input.generics.params.iter();
        let is_one = parameters.all(|parameter| matches!(parameter, GenericParam::Lifetime(_)));
        let identity = is_one.then(|| {
            quote! {
                #[doc(hidden)]
                fn identity() -> &'static parts::Identity {
                    static IDENTITY: ::std::sync::OnceLock<&parts::Identity> =
                        ::std::sync::OnceLock::new();
                    IDENTITY.get_or_init(parts::identity_of::<Self>)
                }
            }
        });
        quote! {
            const _: () = {
                use ::dogpile_templates::askama::parts;

                #[automatically_derived]
                impl #generics ::dogpile_templates::askama::CachedTemplate for #ident #arguments #bounds {
                    #[doc(hidden)]
                    const SOURCE: parts::Source = parts::Source {
                        name: #name,
                        digest: #digest,
                        escaping: #escaping,
                        fragments: &[#(#fragments),*],
                    };

                    #[doc(hidden)]
                    fn contents(contents: &mut parts::Contents) {
                        #[allow(unused_imports)]
                        use parts::NoTemplate as _;
                        #(parts::Probe::<#fields>::look(contents);)*
                        #(contents.add::<#renders>();)*
                    }

                    #identity
                }

                #[automatically_derived]
                impl #generics parts::Contains for #ident #arguments #bounds {
                    fn look(contents: &mut parts::Contents) {
                        contents.add::<Self>();
                    }
                }
            };
        }
    }
}

fn option(text: Option<&String>) -> TokenStream {
    let some = text.map(|text| quote!(::core::option::Option::Some(#text)));
    some.unwrap_or_else(|| quote!(::core::option::Option::None))
}

/// The cached fragments in all files. A name that two of them have would be one text.
fn fragments(
    files: &[File],
    has_comments: bool,
) -> std::result::Result<Vec<(String, Fragment)>, String> {
    let mut found: Vec<(String, Fragment)> = Vec::new();
    for file in files {
        for fragment in scan::fragments(&file.text, has_comments) {
            if fragment.name.is_none() {
                return Err(format!(
                    "the name of the cached fragment in {}:{} is not written out: write cached((\"name\", key)), and \
                     what the fragment varies by into its key",
                    file.name, fragment.line
                ));
            }
            let namesake = found.iter().find(|(_, other)| other.name == fragment.name);
            if let Some((other_file, other)) = namesake {
                return Err(format!(
                    "two cached fragments of this template are called {:?}, in {other_file}:{} and {}:{}: \
                     they would be one text. Give one of them another name",
                    fragment.name.unwrap_or_default(),
                    other.line,
                    file.name,
                    fragment.line
                ));
            }
            found.push((file.name.clone(), fragment));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    const PAGE: &str = "#[template(path = \"shop/page.html\")] struct Page;";
    const OTHER: &str = "#[template(path = \"other.html\")] struct Other;";

    struct Package(TempDir);

    impl Package {
        fn new(files: &[(&str, &str)]) -> Self {
            let package = Self(TempDir::new().unwrap());
            for (name, text) in files {
                package.write(name, text);
            }
            package
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn made(&self, item: &str) -> Result<Made> {
            Made::of(&syn::parse_str(item).unwrap(), self.0.path())
        }

        fn digest(&self, item: &str) -> String {
            self.made(item).unwrap().digest
        }
    }

    const FILES: &[(&str, &str)] = &[
        (
            "templates/shop/page.html",
            "{% extends \"base.html\" %}{% import \"m.html\" as m %}{% include \"row.html\" %}",
        ),
        ("templates/base.html", "{% include \"foot.html\" %}"),
        ("templates/foot.html", "foot"),
        (
            "templates/m.html",
            "{% macro x() %}{% include \"deep.html\" %}{% endmacro %}",
        ),
        ("templates/deep.html", "deep"),
        ("templates/shop/row.html", "row"),
        ("templates/row.html", "not that one"),
        ("templates/other.html", "other"),
    ];

    #[test]
    fn an_edit_of_whatever_a_template_is_made_of_gives_another_digest_and_any_other_edit_none() {
        let package = Package::new(FILES);
        let (page, other) = (package.digest(PAGE), package.digest(OTHER));
        assert_eq!(package.digest(PAGE), page);
        for (name, text) in FILES {
            package.write(name, "edited");
            let concerns = !["templates/row.html", "templates/other.html"].contains(name);
            assert_eq!(package.digest(PAGE) != page, concerns, "{name}");
            assert_eq!(
                package.digest(OTHER) != other,
                *name == "templates/other.html",
                "{name}"
            );
            package.write(name, text);
            assert_eq!(package.digest(PAGE), page, "{name} as before");
        }
        // So does whatever stands at the item, and a file that takes the place of another.
        let escaped = PAGE.replace(")]", ", escape = \"none\")]");
        assert_ne!(package.digest(&escaped), page);
        assert_ne!(
            package.digest("#[template(path = \"shop/page.html\")] struct Page { new: u8 }"),
            page
        );
        package.write("templates/shop/base.html", "nearer");
        assert_ne!(package.digest(PAGE), page);
    }

    #[test]
    fn the_configuration_says_where_templates_are_and_is_part_of_the_digest() {
        let package = Package::new(&[
            ("askama.toml", "[general]\ndirs = [\"views\", \"more/*\"]"),
            ("views/shop/page.html", "{% include \"x.html\" %}"),
            ("more/a/x.html", "x"),
            (
                "own.toml",
                "[general]\ndirs = [\"views\"]\n[[escaper]]\npath = \"crate::Tex\"\nextensions = [\"html\"]",
            ),
        ]);
        let before = package.digest(PAGE);
        package.write("more/a/x.html", "y");
        let edited = package.digest(PAGE);
        assert_ne!(edited, before);
        package.write(
            "askama.toml",
            "[general]\ndirs = [\"views\", \"more/*\"]\nwhitespace = \"suppress\"",
        );
        assert_ne!(package.digest(PAGE), edited);
        let own = PAGE.replace(")]", ", config = \"own.toml\")]");
        assert_eq!(package.made(&own).unwrap().escaping, "crate::Tex");
        assert_eq!(package.made(PAGE).unwrap().escaping, "html");
    }

    #[test]
    fn a_template_in_the_program_is_part_of_its_own_digest_as_is_what_it_includes() {
        let package = Package::new(FILES);
        let inline =
            |source: &str| format!("#[template(source = {source:?}, ext = \"txt\")] struct Page;");
        let including = inline("{% include \"other.html\" %}");
        let (one, other) = (package.digest(&including), package.digest(&inline("text")));
        assert_ne!(one, other);
        package.write("templates/other.html", "edited");
        assert_ne!(package.digest(&including), one);
        assert_eq!(package.digest(&inline("text")), other);
        assert_eq!(package.made(&including).unwrap().escaping, "none");
        let documented = "/// {% include \"other.html\" %}\n#[template(in_doc = true, ext = \"html\")] struct Page;";
        let before = package.digest(documented);
        package.write("templates/other.html", "again");
        assert_ne!(package.digest(documented), before);
    }

    #[test]
    fn an_enum_is_made_of_the_templates_of_all_variants() {
        let package = Package::new(FILES);
        let item = "enum Any { #[template(path = \"other.html\")] A { x: u8 }, \
                    #[template(path = \"foot.html\")] B(Vec<u8>) }";
        let before = package.digest(item);
        for name in ["templates/other.html", "templates/foot.html"] {
            package.write(name, "edited");
            assert_ne!(package.digest(item), before, "{name}");
            package.write(name, FILES.iter().find(|file| file.0 == name).unwrap().1);
        }
        assert_eq!(package.made(item).unwrap().contents[0].len(), 2);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let package = Package::new(&[
            (
                "templates/a.html",
                "{% extends \"b.html\" %}\n{% filter cached(\"row\") %}{% endfilter %}",
            ),
            (
                "templates/b.html",
                "{% filter cached((\"row\", 1)) %}{% endfilter %}",
            ),
        ]);
        let error = |item: &str| package.made(item).err().unwrap().to_string();
        assert_eq!(
            error("#[template(path = \"a.html\")] struct A;"),
            "two cached fragments of this template are called \"row\", in a.html:2 and b.html:1: they would be one text. \
             Give one of them another name"
        );
        assert!(
            error("#[template(path = \"c.html\")] struct A;")
                .starts_with("there is no template \"c.html\" in [")
        );
        assert!(
            error("struct A;").starts_with("there is no template: derive `askama::Template` too")
        );
    }
}
