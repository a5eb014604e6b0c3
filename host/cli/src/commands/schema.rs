//! `schema`.

use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;
use dogpile::manifest::{Manifest, Offer, OfferKind, schema};

use crate::outcome::Outcome;
use crate::output;
use crate::probe::{self, Described, Probed};
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  dogpile schema > dogpile.schema.json
      The schema of dogpile.toml, with the arguments of the plugins that it lists.
  dogpile schema --no-plugins
      The keys of manifests alone.

An editor with a language server for TOML, such as taplo's (\"Even Better TOML\"), completes and checks keys by it if the \
manifest begins with the line

  #:schema ./dogpile.schema.json

It is a JSON Schema of draft 7. Write it anew when the manifest lists another plugin, or a plugin is replaced. It says \
less than `dogpile check`, which looks at what strings stand for, at duplicates and at the plugins' own rules.

Exit status: 0 printed; 1 a plugin cannot be loaded, or the manifest not be read; 2 wrong usage.";

/// Print a JSON Schema of the manifest, with the arguments of the plugins that it lists
///
/// Without a manifest, which must not have been named then, it is that of the manifest's own keys.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Load no plugins: any arguments will do
    #[arg(long)]
    no_plugins: bool,
}

pub(crate) fn run(path: &Path, is_named: bool, options: &Options) -> Result<Outcome> {
    let plugins = if options.no_plugins || !(is_named || path.exists()) {
        Vec::new()
    } else {
        listed(path)?
    };
    output::print_json(&schema(&offers(&plugins)))?;
    Ok(Outcome::Done)
}

/// The plugins that a manifest lists, whatever else is wrong with it: the schema is to help with that.
fn listed(path: &Path) -> Result<Vec<(String, Described)>> {
    let manifest = match Manifest::load(path) {
        Ok(manifest) => manifest,
        Err(errors) => match errors.readable() {
            Some(readable) if readable.lists_all_plugins() => readable.clone(),
            _ => bail!(errors),
        },
    };
    let progress = Progress::start();
    let mut plugins = Vec::new();
    let mut refused = Vec::new();
    for (name, plugin) in manifest.plugins() {
        progress.tell(format!("loading plugin {name}"));
        match probe::plugin(plugin) {
            Probed::Loaded(described) => plugins.push((name.clone(), described)),
            Probed::Refused {
                code,
                message,
                remedy,
                ..
            } => {
                let message = format!("{}: {message}", plugin.path.display());
                let error = manifest.error_at(&["plugins", name, "file"], message, remedy);
                refused.push(match code {
                    Some(code) => error.with_code(code),
                    None => error,
                });
            }
        }
    }
    match manifest.refuse(refused) {
        Some(errors) => bail!(errors),
        None => Ok(plugins),
    }
}

fn offers(plugins: &[(String, Described)]) -> Vec<Offer<'_>> {
    let mut offers = Vec::new();
    for (plugin, described) in plugins {
        let mut add = |kind, name, arguments| {
            offers.push(Offer {
                plugin,
                kind,
                name,
                arguments,
            });
        };
        for one in &described.backends {
            add(OfferKind::Backend, &one.name, &one.arguments);
        }
        for one in &described.manglers {
            add(OfferKind::KeyMangler, &one.name, &one.arguments);
        }
        for one in &described.proxies {
            add(OfferKind::Proxy, &one.name, &one.arguments);
        }
        for one in &described.template_caches {
            add(OfferKind::TemplateCache, &one.name, &one.arguments);
        }
    }
    offers
}
