//! `check`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use dogpile::manifest::{
    KeyManglers, Manifest, ManifestError, ManifestErrors, Unresolved, resolve,
};

use super::site;
use crate::outcome::Outcome;
use crate::output;
use crate::probe::{self, Described, Probed, Regions};

/// Find everything that is wrong with a manifest, its plugins and its backends, or with a site, and change nothing
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Do not open the regions, so nothing is asked of a server
    #[arg(long)]
    no_connect: bool,
    /// Look also at the site in this folder: whether each page compiles, the manifest has the regions that it names, and
    /// the key of each cached fragment names what the fragment uses
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
}

pub(crate) fn run(path: &Path, options: &Options) -> Result<Outcome> {
    let loaded = Manifest::load(path);
    let site = options.site.as_deref();
    let site = site.map(|dir| site::check(dir, loaded.as_ref().ok()));
    let mut checked = manifest(path, loaded, options)?;
    match site {
        Some(None) => return Ok(Outcome::Failed),
        Some(Some(pages)) => checked = format!("{checked}, {}", output::count(pages, "page")),
        None => {}
    }
    output::print(format!("ok: {checked}\n"))?;
    Ok(Outcome::Done)
}

/// How much of what there is in a manifest that nothing is wrong with.
fn manifest(
    path: &Path,
    loaded: Result<Manifest, ManifestErrors>,
    options: &Options,
) -> Result<String> {
    let manifest = match loaded {
        Ok(manifest) => manifest,
        Err(errors) => bail!(with_more(errors)),
    };
    for warning in manifest.warnings() {
        output::say(format_args!("{warning}\n"));
    }
    let plugins = Plugins::probe(&manifest);
    let errors = if options.no_connect || plugins.killed {
        plugins.errors(&manifest)
    } else {
        // The child loads them again, and tells what it thinks of them with the rest.
        regions(path, &manifest)?
    };
    refuse(&manifest, errors)?;
    refuse(&manifest, plugins.refused)?;
    let regions = output::count(manifest.regions().len(), "region");
    let plugins = output::count(plugins.loaded.len(), "plugin");
    Ok(format!("{regions}, {plugins}"))
}

/// With what is wrong with the plugins that the manifest lists, and with the names in it. Its regions are not opened:
/// nobody knows what they should be.
fn with_more(errors: ManifestErrors) -> ManifestErrors {
    let Some(readable) = errors.readable().cloned() else {
        return errors;
    };
    let more = Plugins::probe(&readable).errors(&readable);
    errors.and(&readable, more)
}

fn refuse(manifest: &Manifest, errors: Vec<ManifestError>) -> Result<()> {
    match manifest.refuse(errors) {
        Some(errors) => bail!(errors),
        None => Ok(()),
    }
}

/// What came of loading every plugin.
struct Plugins<'m> {
    loaded: Vec<(&'m str, Described)>,
    refused: Vec<ManifestError>,
    /// Whether loading one kills the process.
    killed: bool,
}

impl<'m> Plugins<'m> {
    fn probe(manifest: &'m Manifest) -> Self {
        let mut plugins = Self {
            loaded: Vec::new(),
            refused: Vec::new(),
            killed: false,
        };
        for (name, plugin) in manifest.plugins() {
            match probe::plugin(plugin) {
                Probed::Loaded(described) => plugins.loaded.push((name, described)),
                Probed::Refused {
                    code,
                    message,
                    remedy,
                    killed,
                } => {
                    let message = format!("{}: {message}", plugin.path.display());
                    let path = ["plugins", name, "file"];
                    let error = manifest.error_at(&path, message, remedy);
                    plugins.refused.push(match code {
                        Some(code) => error.with_code(code),
                        None => error,
                    });
                    plugins.killed |= killed;
                }
            }
        }
        plugins
    }

    /// What is wrong with them, and with the names in regions. Where one is missing, a name that none offers may be a
    /// consequence, so that is not looked for.
    fn errors(&self, manifest: &Manifest) -> Vec<ManifestError> {
        if self.refused.is_empty() && manifest.lists_all_plugins() {
            names(manifest, &self.loaded)
        } else {
            self.refused.clone()
        }
    }
}

/// Opens and pings every region, all in one process; if that dies, each in its own, to find whose fault it is.
fn regions(path: &Path, manifest: &Manifest) -> Result<Vec<ManifestError>> {
    let died = match probe::regions(path, manifest) {
        Ok(Regions::Opened { silent, warnings }) => {
            let is_told = |warning: &String| {
                let mut told = manifest.warnings().iter();
                told.any(|told| told.to_string() == *warning)
            };
            for warning in warnings.iter().filter(|warning| !is_told(warning)) {
                output::say(format_args!("{warning}\n"));
            }
            let errors = silent.into_iter().map(|(name, message)| {
                let remedy = "see whether what it connects to is up, or check with --no-connect";
                manifest.error_at(&["regions", &name, "backend"], message, remedy)
            });
            return Ok(errors.collect());
        }
        Ok(Regions::Refused { text }) => bail!(probe::Refusal(text)),
        Err(died) => died,
    };
    let mut errors = Vec::new();
    for (name, region) in manifest.regions() {
        if let Err(died) = probe::region(path, manifest, name) {
            let message = format!("opening `{}` {died}", region.backend);
            let remedy = "replace the plugin's file, or leave the region out";
            let error = manifest.error_at(&["regions", name, "backend"], message, remedy);
            errors.push(error.with_code("plugin-kills-the-process"));
        }
    }
    if errors.is_empty() {
        bail!("opening the regions {died}, though each alone opens");
    }
    Ok(errors)
}

/// Whether what the regions and the templates name is offered.
fn names(manifest: &Manifest, plugins: &[(&str, Described)]) -> Vec<ManifestError> {
    let offers = |of: fn(&Described) -> Vec<&str>| -> Vec<(&str, Vec<&str>)> {
        plugins.iter().map(|(name, one)| (*name, of(one))).collect()
    };
    let (backends, manglers) = (offers(Described::backends), offers(Described::manglers));
    let proxies = offers(Described::proxies);
    let mut errors = Vec::new();
    if let Some(templates) = manifest.templates() {
        let (plugin, name) = split(&templates.plugin);
        let offered = offers(Described::template_caches);
        if let Err(Unresolved { message, remedy }) =
            resolve("template cache", plugin, name, &offered)
        {
            errors.push(manifest.error_at(&["templates", "plugin"], message, remedy));
        }
    }
    for (name, region) in manifest.regions() {
        let mut check = |path: &[&str], found: Result<usize, Unresolved>| {
            if let Err(Unresolved { message, remedy }) = found {
                let path = [&["regions", name.as_str()], path].concat();
                errors.push(manifest.error_at(&path, message, remedy));
            }
        };
        let (plugin, backend) = (region.backend.plugin.as_deref(), &region.backend.name);
        check(&["backend"], resolve("backend", plugin, backend, &backends));
        let named = match &region.key_mangler {
            KeyManglers::Named(named) => &named[..],
            _ => &[],
        };
        for (index, mangler) in named.iter().enumerate() {
            let (plugin, mangler) = split(&mangler.name);
            check(
                &["key_mangler", &index.to_string()],
                resolve("key mangler", plugin, mangler, &manglers),
            );
        }
        for (index, proxy) in region.proxies.iter().enumerate() {
            let (plugin, proxy) = split(&proxy.name);
            let found = resolve("proxy", plugin, proxy, &proxies);
            check(&["proxies", &index.to_string()], found);
        }
    }
    errors
}

/// `plugin/name`, or a bare name.
fn split(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((plugin, name)) => (Some(plugin), name),
        None => (None, name),
    }
}
