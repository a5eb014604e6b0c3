//! `check`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use dogpile::manifest::{
    KeyManglers, Manifest, ManifestError, ManifestErrors, Severity, Unresolved, resolve,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::site::{self, PAGES};
use crate::outcome::Outcome;
use crate::output;
use crate::probe::{self, Described, Probed, Refusal, Regions, Warning};
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  dogpile check
      The manifest, its plugins, and a ping of each region's storage.
  dogpile --manifest /etc/app/dogpile.toml check --no-connect
      Without asking any server, as in a build.
  dogpile check --print
      The manifest as it is in force: with includes, variables and defaults, and secrets masked.
  dogpile check --site site
      Also the pages of a site, as `dogpile serve --site site` would have them.

Exit status: 0 nothing is wrong, though there may be warnings; 1 something is; 2 wrong usage.";

/// Find everything that is wrong with a manifest, its plugins and its backends, or with a site, and change nothing
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Do not open the regions, so nothing is asked of a server
    #[arg(long)]
    no_connect: bool,
    /// Print the effective manifest, if nothing is wrong: with includes and interpolations done, defaults written out and
    /// secrets masked
    #[arg(long, conflicts_with = "json")]
    print: bool,
    /// Look also at the site in this folder: whether each page compiles, the manifest has the regions that it names and
    /// that of the pages, and the key of each cached fragment names what the fragment uses
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// The region that holds the pages of the site
    #[arg(long, value_name = "NAME", default_value = PAGES, requires = "site")]
    region: String,
    /// Print JSON, also of what is wrong
    #[arg(long)]
    json: bool,
}

/// How much of what there is, in a manifest that nothing is wrong with.
struct Checked {
    manifest: Manifest,
    plugins: usize,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    ok: bool,
    /// Of the manifest, if nothing is wrong with it; likewise the plugins.
    regions: Option<usize>,
    plugins: Option<usize>,
    /// Of the site, if one was asked for.
    pages: Option<usize>,
    errors: Vec<Value>,
    warnings: Vec<Value>,
    site_errors: Vec<String>,
    site_warnings: Vec<String>,
}

pub(crate) fn run(path: &Path, options: &Options) -> Result<Outcome> {
    let loaded = Manifest::load(path);
    let site = options.site.as_deref();
    let site = site.map(|dir| site::check(dir, &options.region, path, loaded.as_ref().ok()));
    if options.json {
        return report(path, loaded, site, options);
    }
    let site_is_right = site.as_ref().is_none_or(site::Found::say);
    if let Ok(manifest) = &loaded {
        for warning in manifest.warnings() {
            output::say(format_args!("{warning}\n"));
        }
    }
    let mut warn = |warning: Warning| output::say(format_args!("{}\n", warning.text));
    let Checked { manifest, plugins } = manifest(path, loaded, options, &mut warn)?;
    if !site_is_right {
        return Ok(Outcome::Failed);
    }
    if options.print {
        output::print(manifest.masked_toml())?;
        return Ok(Outcome::Done);
    }
    let regions = output::count(manifest.regions().len(), "region");
    let plugins = output::count(plugins, "plugin");
    let pages = site.map(|site| format!(", {}", output::count(site.pages, "page")));
    output::print(format!(
        "ok: {regions}, {plugins}{}\n",
        pages.unwrap_or_default()
    ))?;
    Ok(Outcome::Done)
}

fn report(
    path: &Path,
    loaded: Result<Manifest, ManifestErrors>,
    site: Option<site::Found>,
    options: &Options,
) -> Result<Outcome> {
    let warnings = loaded.as_ref().map(|manifest| json(manifest.warnings()));
    let mut warnings = warnings.unwrap_or_else(|_| Ok(Vec::new()))?;
    let mut warn = |warning: Warning| warnings.push(warning.as_json);
    let pages = site.as_ref().map(|site| site.pages);
    let (site_errors, site_warnings) = site.map_or_else(Default::default, |site| {
        let texts: Vec<_> = site.errors.iter().map(output::whole).collect();
        (texts, site.warnings)
    });
    let (checked, errors) = match manifest(path, loaded, options, &mut warn) {
        Ok(checked) => (Some(checked), Vec::new()),
        Err(error) => (None, one_by_one(&error)?),
    };
    let ok = errors.is_empty() && site_errors.is_empty();
    output::print_json(&Report {
        ok,
        regions: checked
            .as_ref()
            .map(|checked| checked.manifest.regions().len()),
        plugins: checked.map(|checked| checked.plugins),
        pages,
        errors,
        warnings,
        site_errors,
        site_warnings,
    })?;
    Ok(if ok { Outcome::Done } else { Outcome::Failed })
}

fn json<'e>(errors: impl IntoIterator<Item = &'e ManifestError>) -> Result<Vec<Value>> {
    let errors = errors.into_iter().map(serde_json::to_value);
    Ok(errors.collect::<Result<_, _>>()?)
}

/// At least one, also of an error that is not about the manifest.
fn one_by_one(error: &anyhow::Error) -> Result<Vec<Value>> {
    if let Some(errors) = error.downcast_ref::<ManifestErrors>() {
        return json(errors);
    }
    let refusal = error.downcast_ref::<Refusal>();
    if let Some(refusal) = refusal.filter(|refusal| !refusal.errors.is_empty()) {
        return Ok(refusal.errors.clone());
    }
    let message = output::whole(error);
    Ok(vec![json!({ "severity": "error", "message": message })])
}

/// Looks at a manifest with its plugins and, unless that is not to be, its regions, whose warnings are given to `warn`.
fn manifest(
    path: &Path,
    loaded: Result<Manifest, ManifestErrors>,
    options: &Options,
    warn: &mut dyn FnMut(Warning),
) -> Result<Checked> {
    let manifest = match loaded {
        Ok(manifest) => manifest,
        Err(errors) => bail!(with_more(errors)),
    };
    let mut errors = Vec::new();
    match dogpile::admin::check(&manifest) {
        Some(wrong) if wrong.severity() == Severity::Warning => warn(Warning::of(&wrong)?),
        wrong => errors.extend(wrong),
    }
    let progress = Progress::start();
    let plugins = Plugins::probe(&manifest, &progress);
    errors.extend(if options.no_connect || plugins.killed {
        plugins.errors(&manifest)
    } else {
        // The child loads them again, and tells what it thinks of them with the rest.
        let regions = output::count(manifest.regions().len(), "region");
        progress.tell(format!("opening {regions}"));
        regions_errors(path, &manifest, warn)?
    });
    drop(progress);
    refuse(&manifest, errors)?;
    let Plugins {
        loaded, refused, ..
    } = plugins;
    let plugins = loaded.len();
    drop(loaded);
    refuse(&manifest, refused)?;
    Ok(Checked { manifest, plugins })
}

/// With what is wrong with the plugins that the manifest lists, and with the names in it. Its regions are not opened:
/// nobody knows what they should be.
fn with_more(errors: ManifestErrors) -> ManifestErrors {
    let Some(readable) = errors.readable().cloned() else {
        return errors;
    };
    let more = Plugins::probe(&readable, &Progress::start()).errors(&readable);
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
    fn probe(manifest: &'m Manifest, progress: &Progress) -> Self {
        let mut plugins = Self {
            loaded: Vec::new(),
            refused: Vec::new(),
            killed: false,
        };
        for (index, (name, plugin)) in manifest.plugins().iter().enumerate() {
            let all = manifest.plugins().len();
            progress.tell(format!("loading plugin {} of {all}: {name}", index + 1));
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
fn regions_errors(
    path: &Path,
    manifest: &Manifest,
    warn: &mut dyn FnMut(Warning),
) -> Result<Vec<ManifestError>> {
    let died = match probe::regions(path, manifest) {
        Ok(Regions::Opened {
            silent,
            warnings,
            lost,
        }) => {
            let is_told = |warning: &Warning| {
                let mut told = manifest.warnings().iter();
                told.any(|told| told.to_string() == warning.text)
            };
            let news = warnings.into_iter().filter(|warning| !is_told(warning));
            news.for_each(&mut *warn);
            for what in &lost {
                warn(Warning::of(&is_lost(manifest, what))?);
            }
            let errors = silent.into_iter().map(|silent| {
                let remedy = "see to what it says, and that what it connects to is up; with --no-connect no server \
                              is asked";
                let path = ["regions", &silent.region, "backend"];
                let error = manifest.error_at(&path, silent.message, remedy);
                match silent.code {
                    Some(code) => error.with_code(code),
                    None => error,
                }
            });
            return Ok(errors.collect());
        }
        Ok(Regions::Refused { text, errors }) => bail!(Refusal::new(text, errors)),
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

/// What a backend says of its file, at the region that names the file.
fn is_lost(manifest: &Manifest, what: &str) -> ManifestError {
    let mut regions = manifest.regions().iter();
    let region = regions.find(|(_, region)| {
        let mut arguments = region.arguments.values().filter_map(Value::as_str);
        arguments.any(|argument| what.contains(argument))
    });
    let name = region.map(|(name, _)| name.as_str());
    let path: Vec<_> = ["regions"].into_iter().chain(name).collect();
    let remedy = "nothing is to be done: values are created anew";
    manifest.warning_at(&path, what, remedy)
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
