use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Fields, Lit, Meta, Path, Result, Token, Type,
};

use crate::files::File;

/// What an item says of its template. An enum has one in each variant, or one for all.
#[derive(Default)]
pub(crate) struct Item {
    /// The files in which its templates are.
    pub(crate) paths: Vec<String>,
    /// The templates that are written in it.
    pub(crate) sources: Vec<File>,
    /// The configuration's file, if not the usual one.
    pub(crate) config: Option<String>,
    /// The extension by which is decided how its text is escaped.
    pub(crate) extension: String,
    /// The types of its fields: each may be a template.
    pub(crate) fields: Vec<Type>,
    /// The templates that it renders beside them.
    pub(crate) renders: Vec<Type>,
}

impl Item {
    pub(crate) fn of(input: &DeriveInput) -> Result<Self> {
        let mut item = Self::default();
        let name = input.ident.to_string();
        item.attributes(&name, &input.attrs)?;
        match &input.data {
            Data::Struct(data) => item.fields(&data.fields),
            Data::Enum(data) => {
                for variant in &data.variants {
                    item.attributes(&name, &variant.attrs)?;
                    item.fields(&variant.fields);
                }
            }
            Data::Union(_) => {}
        }
        if item.paths.is_empty() && item.sources.is_empty() {
            let message = "there is no template: derive `askama::Template` too, and write \
                           `#[template(path = \"…\")]` here";
            return Err(Error::new_spanned(&input.ident, message));
        }
        Ok(item)
    }

    fn attributes(&mut self, name: &str, attributes: &[Attribute]) -> Result<()> {
        let (mut in_doc, mut escape, mut ext) = (false, None, None);
        for attribute in attributes {
            if attribute.path().is_ident("renders") {
                let types =
                    attribute.parse_args_with(Punctuated::<Type, Token![,]>::parse_terminated)?;
                self.renders.extend(types);
            }
            if !attribute.path().is_ident("template") {
                continue;
            }
            let options =
                attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
            for option in &options {
                let Meta::NameValue(option) = option else {
                    continue;
                };
                let text = literal(&option.value);
                match word(&option.path).as_str() {
                    "in_doc" => in_doc = true,
                    "escape" => escape = text,
                    "ext" => ext = text,
                    "config" => self.config = text,
                    "path" => self.paths.extend(text),
                    "source" => self.sources.extend(text.map(|text| File {
                        name: name.to_owned(),
                        text,
                    })),
                    _ => {}
                }
            }
        }
        if in_doc {
            let text = documentation(attributes);
            self.sources.push(File {
                name: name.to_owned(),
                text,
            });
        }
        let of_path = || self.paths.last().and_then(|path| path.rsplit_once('.'));
        let extension = escape.or(ext).or_else(|| Some(of_path()?.1.to_owned()));
        if let Some(extension) = extension {
            self.extension = extension;
        }
        Ok(())
    }

    fn fields(&mut self, fields: &Fields) {
        self.fields
            .extend(fields.iter().map(|field| field.ty.clone()));
    }
}

fn word(path: &Path) -> String {
    path.to_token_stream().to_string()
}

/// A text that is written out, also by a macro that got it.
fn literal(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(value) => match &value.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

fn documentation(attributes: &[Attribute]) -> String {
    let lines = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(meta) if meta.path.is_ident("doc") => literal(&meta.value),
            _ => None,
        });
    lines.collect::<Vec<_>>().join("\n")
}
