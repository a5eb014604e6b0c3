use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::Manifest;
use super::check::{Include, Named};
use super::content_hash::ContentHash;
use super::error::{ManifestError, ManifestErrors, Severity};
use super::include::{self, ReadError, read_text};
use super::interpolate::{Environment, Interpolator};
use super::model::{HostConfig, PluginConfig, RegionConfig};
use super::read::{Finding, Places, Reader, Table};
use super::source::{Place, Source};
use super::syntax::{self, Damage};
use super::templates::TemplatesConfig;
use crate::trust::Trust;

/// Reads and checks a manifest with its includes.
pub(super) fn load(
    path: &Path,
    trust: Trust,
    environment: &Environment<'_>,
) -> Result<Manifest, ManifestErrors> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut load = Load {
        path,
        folder,
        trust,
        interpolator: Interpolator::new(environment, folder),
        sources: Vec::new(),
        findings: Vec::new(),
        damaged: Vec::new(),
        places: Places::new(),
        masked: BTreeMap::new(),
        plugins: BTreeMap::new(),
        regions: BTreeMap::new(),
        templates: None,
        defined: BTreeMap::new(),
        inputs: BTreeSet::from([path.to_path_buf()]),
        hash: ContentHash::default(),
        is_damaged: false,
        in_regions: 0,
    };
    let host = load.manifest();
    load.finish(host)
}

struct Load<'e> {
    path: &'e Path,
    folder: &'e Path,
    trust: Trust,
    interpolator: Interpolator<'e>,
    sources: Vec<Arc<Source>>,
    findings: Vec<Finding>,
    /// Files that could not be read at all.
    damaged: Vec<ManifestError>,
    places: Places,
    masked: BTreeMap<Vec<String>, String>,
    plugins: BTreeMap<String, PluginConfig>,
    regions: BTreeMap<String, RegionConfig>,
    templates: Option<TemplatesConfig>,
    /// Where each plugin and region is defined first.
    defined: BTreeMap<Vec<String>, Place>,
    inputs: BTreeSet<PathBuf>,
    hash: ContentHash,
    /// Whether a file has errors of syntax, or could not be read: then nobody knows what it lists.
    is_damaged: bool,
    /// How many errors are those of single regions.
    in_regions: usize,
}

impl<'e> Load<'e> {
    fn manifest(&mut self) -> Option<HostConfig> {
        let index = match read_text(self.path, self.trust) {
            Ok(text) => self.source(self.path.to_path_buf(), text),
            Err(error) => {
                self.unreadable(self.path, error);
                return None;
            }
        };
        let source = Arc::clone(&self.sources[index]);
        if source.text().trim().is_empty() {
            self.findings.push(Finding {
                source: index,
                span: 0..0,
                absence: false,
                error: source.finding(
                    Severity::Error,
                    &(0..0),
                    "the manifest is empty".into(),
                    "write version = 1, [plugins.NAME] and [regions.NAME]".into(),
                ),
            });
            return None;
        }
        let (tree, errors) = DeTable::parse_recoverable(source.text());
        let mut root = Table::new(tree.get_ref(), Vec::new(), 0..0);
        let start = self.findings.len();
        let folder = self.folder;
        let mut reader = self.reader(index);
        reader.remember(&root);
        reader.version(&mut root);
        let includes = reader.includes(&mut root);
        let host = reader.host(&mut root, folder);
        let plugins = reader.named(&mut root, "plugins", "plugin");
        let regions = reader.named(&mut root, "regions", "region");
        let templates = reader.templates(&mut root);
        reader.refuse_rest_of_manifest(&root);
        self.templates = templates;
        self.define(index, plugins, regions, &host);
        let damage = self.settle(index, &errors, start);
        if !damage.unclosed {
            for include in includes {
                self.include(index, &include, &host);
            }
        }
        Some(host)
    }

    fn include(&mut self, index: usize, include: &Include<'_>, host: &HostConfig) {
        let remedy = "name a file, or a pattern as in \"conf.d/*.toml\"; a relative one starts at \
                      the manifest's folder";
        let matches = match include::find(self.folder, &include.pattern) {
            Ok(matches) => matches,
            Err(message) => {
                self.reader(index)
                    .error_of_outside(include.item.span(), message, remedy);
                return;
            }
        };
        let is_glob = matches.folder.is_some();
        if let Some(folder) = matches.folder {
            let current = folder.as_os_str().is_empty();
            self.inputs
                .insert(if current { ".".into() } else { folder });
        }
        for file in matches.files {
            if same_file(&file, self.path) {
                if !is_glob {
                    self.reader(index).error(
                        include.item.span(),
                        "the manifest includes itself",
                        remedy,
                    );
                }
                continue;
            }
            if !self.inputs.insert(file.clone()) {
                continue;
            }
            match read_text(&file, self.trust) {
                Ok(text) => self.included(file, text, host),
                Err(ReadError::NotUtf8(text)) => self.not_utf8(file, text),
                Err(error) => {
                    let message = format!("`{}` {}", file.display(), error.message());
                    let remedy = error.remedy(if include.pattern.starts_with('~') {
                        "write the whole path: ~ stands for no home directory here"
                    } else {
                        remedy
                    });
                    self.reader(index)
                        .error_of_outside(include.item.span(), message, remedy);
                }
            }
        }
    }

    fn included(&mut self, file: PathBuf, text: String, host: &HostConfig) {
        let index = self.source(file, text);
        let source = Arc::clone(&self.sources[index]);
        let (tree, errors) = DeTable::parse_recoverable(source.text());
        let mut root = Table::new(tree.get_ref(), Vec::new(), 0..0);
        let start = self.findings.len();
        let mut reader = self.reader(index);
        reader.remember(&root);
        let plugins = reader.named(&mut root, "plugins", "plugin");
        let regions = reader.named(&mut root, "regions", "region");
        reader.refuse_rest_of_included(&root);
        self.define(index, plugins, regions, host);
        self.settle(index, &errors, start);
    }

    fn define(
        &mut self,
        index: usize,
        plugins: Vec<Named<'_>>,
        regions: Vec<Named<'_>>,
        host: &HostConfig,
    ) {
        for named in plugins {
            let before = self.errors();
            let first = self.first_of_its_name(index, &named, "plugin");
            let plugin = self.reader(index).plugin(named, host);
            if first && (self.errors() == before) {
                self.plugins.insert(plugin.name.clone(), plugin);
            }
        }
        for named in regions {
            let first = self.first_of_its_name(index, &named, "region");
            let before = self.errors();
            let region = self.reader(index).one_region(named);
            let errors = self.errors() - before;
            self.in_regions += errors;
            if first && errors == 0 {
                self.regions.insert(region.name.clone(), region);
            }
        }
    }

    fn errors(&self) -> usize {
        let is_error = |finding: &&Finding| finding.error.severity() == Severity::Error;
        self.findings.iter().filter(is_error).count()
    }

    fn first_of_its_name(&mut self, index: usize, named: &Named<'_>, kind: &str) -> bool {
        let place = Place {
            source: index,
            span: named.item.key_span.clone(),
        };
        let Some(first) = self.defined.get(&named.item.path) else {
            self.defined.insert(named.item.path.clone(), place);
            return true;
        };
        let first = self.sources[first.source].display(first.span.start);
        self.reader(index).error(
            place.span,
            format!(
                "the {kind} `{}` is defined twice: first at {first}",
                named.item.key
            ),
            "remove or rename one of them",
        );
        false
    }

    /// Adds the syntax errors of a file, and drops findings that may only come from them.
    fn settle(&mut self, index: usize, errors: &[toml::de::Error], start: usize) -> Damage {
        let found = self.findings.split_off(start);
        let source = Arc::clone(&self.sources[index]);
        self.is_damaged |= !errors.is_empty();
        let damage = syntax::report(index, &source, errors, &mut self.findings);
        self.findings
            .extend(found.into_iter().filter(|finding| damage.spares(finding)));
        damage
    }

    fn source(&mut self, path: PathBuf, text: String) -> usize {
        self.hash.part(b"file", text.as_bytes());
        // The mark is no part of the text: it would shift the columns of the first line.
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        self.sources.push(Arc::new(Source::new(path, text)));
        self.sources.len() - 1
    }

    fn unreadable(&mut self, path: &Path, error: ReadError) {
        match error {
            ReadError::NotUtf8(text) => self.not_utf8(path.to_path_buf(), text),
            error => {
                let message = format!("the manifest {}", error.message());
                self.hash.part(b"unreadable", message.as_bytes());
                let remedy = error.remedy(match error {
                    ReadError::TooLarge => "make it smaller: an `include` can have the regions",
                    _ => "put a readable file there, or name another with --manifest or DOGPILE_MANIFEST",
                });
                let error = ManifestError::about_file(path, message, remedy);
                self.damaged.push(error.of_outside());
            }
        }
    }

    fn not_utf8(&mut self, path: PathBuf, text: String) {
        self.is_damaged = true;
        let index = self.source(path, text);
        let end = self.sources[index].text().len();
        self.reader(index).error(
            end..end,
            "here begins something that is not UTF-8",
            "save the file as UTF-8 text",
        );
    }

    fn reader(&mut self, index: usize) -> Reader<'_, 'e> {
        Reader {
            index,
            source: Arc::clone(&self.sources[index]),
            interpolator: &mut self.interpolator,
            findings: &mut self.findings,
            places: &mut self.places,
            masked: &mut self.masked,
        }
    }

    fn finish(mut self, host: Option<HostConfig>) -> Result<Manifest, ManifestErrors> {
        // Files are watched whether they exist or not.
        for name in self.interpolator.files().keys() {
            self.inputs.insert(self.interpolator.resolve(name));
        }
        self.hash.interpolated(&self.interpolator);
        let content_hash = self.hash.finish();
        let mut secrets = self.interpolator.secrets;
        for region in self.regions.values() {
            region.tell_secrets(&mut secrets);
        }
        if let Some(templates) = &self.templates {
            secrets.add_table(&templates.arguments, false);
        }
        let inputs: Vec<_> = self.inputs.into_iter().collect();
        self.findings
            .sort_by_key(|finding| (finding.source, finding.span.start));
        let (errors, warnings): (Vec<_>, Vec<_>) = self
            .findings
            .into_iter()
            .map(|finding| finding.error.masked(&secrets))
            .partition(|error| error.severity() == Severity::Error);
        let damaged = self.damaged.into_iter();
        let mut all: Vec<_> = damaged.map(|error| error.masked(&secrets)).collect();
        all.extend(errors);
        let Some(host) = host else {
            return Err(ManifestErrors::new(all, inputs, content_hash));
        };
        let manifest = Manifest {
            host,
            plugins: self.plugins,
            regions: self.regions,
            templates: self.templates,
            warnings,
            sources: self.sources,
            places: self.places,
            inputs: inputs.clone(),
            content_hash: content_hash.clone(),
            secrets,
            lists_all_plugins: all.len() == self.in_regions,
        };
        if all.is_empty() {
            return Ok(manifest);
        }
        let refused = ManifestErrors::new(all, inputs, content_hash);
        Err(if self.is_damaged {
            refused
        } else {
            refused.with_readable(manifest)
        })
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
