//! How a later plugin interface could differ from this one, as edits of its source: something appended in every place
//! where the rules allow it. Each edit must find its place once, so that what is edited here follows what is there.

/// In a file of `plugin-api/src`, the old text and the new.
pub(crate) const EDITS: &[(&str, &str, &str)] = &[
    // A word of the plugin's header.
    (
        "abi/header.rs",
        "    pub table: extern \"C\" fn() -> PluginTableRef,\n}",
        "    pub table: extern \"C\" fn() -> PluginTableRef,\n    pub appended: u64,\n}",
    ),
    (
        "abi/header.rs",
        "            table,\n        }",
        "            table,\n            appended: 7,\n        }",
    ),
    // A function of each table, and one of the host's.
    (
        "abi/mod.rs",
        "        cache_given: &mut ROption<RawTemplateCache>,
    ) -> RawValue,
}",
        "        cache_given: &mut ROption<RawTemplateCache>,
    ) -> RawValue,
    pub appended: extern \"C\" fn() -> RawValue,
}",
    ),
    (
        "abi/mod.rs",
        "target: RStr<'_>, message: RStr<'_>),
}",
        "target: RStr<'_>, message: RStr<'_>),
    pub appended: extern \"C\" fn() -> u64,
}",
    ),
    (
        "abi/mod.rs",
        "    pub longest_call: unsafe extern \"C\" fn(state: *const (), nanoseconds: &mut u64) -> RawValue,
}",
        "    pub longest_call: unsafe extern \"C\" fn(state: *const (), nanoseconds: &mut u64) -> RawValue,
    pub appended: unsafe extern \"C\" fn(state: *const (), key: &Key<'_>) -> RawValue,
}",
    ),
    (
        "abi/mod.rs",
        "    pub is_locked: unsafe extern \"C\" fn(state: *const (), locked: &mut bool) -> RawValue,
    /// Frees the state; nothing may be called afterwards.
    #[sabi(last_prefix_field)]
    pub destroy: unsafe extern \"C\" fn(state_given: *const ()) -> RawValue,
}",
        "    pub is_locked: unsafe extern \"C\" fn(state: *const (), locked: &mut bool) -> RawValue,
    /// Frees the state; nothing may be called afterwards.
    #[sabi(last_prefix_field)]
    pub destroy: unsafe extern \"C\" fn(state_given: *const ()) -> RawValue,
    pub appended: unsafe extern \"C\" fn(state: *const (), appended: &mut bool) -> RawValue,
}",
    ),
    (
        "abi/mod.rs",
        "    pub mangle: unsafe extern \"C\" fn(state: *const (), key: RStr<'_>) -> RawValue,
    /// Frees the state; nothing may be called afterwards.
    #[sabi(last_prefix_field)]
    pub destroy: unsafe extern \"C\" fn(state_given: *const ()) -> RawValue,
}",
        "    pub mangle: unsafe extern \"C\" fn(state: *const (), key: RStr<'_>) -> RawValue,
    /// Frees the state; nothing may be called afterwards.
    #[sabi(last_prefix_field)]
    pub destroy: unsafe extern \"C\" fn(state_given: *const ()) -> RawValue,
    pub appended: unsafe extern \"C\" fn(state: *const (), key: RStr<'_>) -> RawValue,
}",
    ),
    (
        "abi/template_cache.rs",
        "    pub destroy: unsafe extern \"C\" fn(state_given: *const ()) -> RawValue,
}",
        "    pub destroy: unsafe extern \"C\" fn(state_given: *const ()) -> RawValue,
    pub appended: unsafe extern \"C\" fn(state: *const (), appended: &mut u64) -> RawValue,
}",
    ),
    // The plugin's table on both sides.
    (
        "export.rs",
        "            struct Exported;",
        "            extern \"C\" fn appended() -> RawValue {
                $crate::__export::appended()
            }

            struct Exported;",
    ),
    (
        "export.rs",
        "open_proxy, open_template_cache,
                    }));",
        "open_proxy, open_template_cache, appended,
                    }));",
    ),
    (
        "export.rs",
        "        Registration, describe,",
        "        Registration, appended, describe,",
    ),
    (
        "adapter/mod.rs",
        "    Registration, describe,",
        "    Registration, appended, describe,",
    ),
    (
        "adapter/provide.rs",
        "/// The body of [`crate::abi::PluginTable::start`].",
        "#[doc(hidden)]
pub fn appended() -> RawValue {
    answer(\"appended\", || Ok(Some(Value::from(b\"appended\".as_slice()))))
}

/// The body of [`crate::abi::PluginTable::start`].",
    ),
    (
        "adapter/plugin.rs",
        "    /// Leads its logs and panics to the host.",
        "    pub fn appended(&self) -> Result<Option<crate::Value>> {
        let appended = match self.0 {
            Code::Table(table) => table.appended(),
            Code::Registered(_) => None,
        };
        let Some(appended) = appended else {
            return Ok(None);
        };
        match unsafe { appended().take()? } {
            crate::abi::Raw::Value(value) => Ok(Some(value)),
            crate::abi::Raw::Null => Ok(None),
        }
    }

    /// Leads its logs and panics to the host.",
    ),
    // The host's table on both sides.
    (
        "abi/mod.rs",
        "    /// The hash of a key.
    pub fn hash(",
        "    pub fn appended(&self) -> Option<u64> {
        self.table.appended().map(|appended| appended())
    }

    /// The hash of a key.
    pub fn hash(",
    ),
    (
        "host_context.rs",
        "    /// The host's clock,",
        "    pub fn appended(&self) -> Option<u64> {
        self.raw.appended()
    }

    /// The host's clock,",
    ),
    (
        "testing/host.rs",
        "        log,
    }));",
        "        log,
        appended,
    }));",
    ),
    (
        "testing/host.rs",
        "extern \"C\" fn log_enabled(",
        "extern \"C\" fn appended() -> u64 {
    7
}

extern \"C\" fn log_enabled(",
    ),
    // A method of backends and proxies, whose default is made of what was there before.
    (
        "backend.rs",
        "    /// Removes everything that this instance stores, of all its regions.",
        "    fn appended(&self, key: &Key) -> Result<Option<Value>> {
        self.get(key)
    }

    /// Removes everything that this instance stores, of all its regions.",
    ),
    (
        "proxy.rs",
        "    /// See [`Backend::clear`](crate::Backend::clear).",
        "    fn appended(&self, key: &Key) -> Result<Option<Value>> {
        self.get(key)
    }

    /// See [`Backend::clear`](crate::Backend::clear).",
    ),
    (
        "adapter/any.rs",
        "    /// What it says of itself.
    fn properties(",
        "    fn appended(&self, key: &Key<'_>) -> Result<Option<Value>> {
        self.get(key)
    }

    /// What it says of itself.
    fn properties(",
    ),
    (
        "adapter/any.rs",
        "        fn clear(&$self) -> Result<()> {",
        "        fn appended(&$self, key: &Key<'_>) -> Result<Option<Value>> {
            $target.appended(key)
        }

        fn clear(&$self) -> Result<()> {",
    ),
    (
        "adapter/any.rs",
        "    /// See [`Backend::clear`].
    pub fn clear(",
        "    pub fn appended(&self, key: &Key) -> Result<Option<Value>> {
        self.instance.appended(key)
    }

    /// See [`Backend::clear`].
    pub fn clear(",
    ),
    (
        "adapter/instance.rs",
        "    /// See [`crate::Backend::clear`].",
        "    pub fn appended(&self, key: &Key<'_>) -> Result<Option<Value>> {
        match self.raw.table.appended() {
            Some(appended) => value(unsafe { appended(self.raw.state, key).take() }),
            None => self.get(key),
        }
    }

    /// See [`crate::Backend::clear`].",
    ),
    (
        "adapter/table.rs",
        "        reconfigure: Self::reconfigure,",
        "        reconfigure: Self::reconfigure,
        appended: Self::appended,",
    ),
    (
        "adapter/table.rs",
        "    unsafe extern \"C\" fn clear(",
        "    unsafe extern \"C\" fn appended(state: *const (), key: &Key<'_>) -> RawValue {
        let backend = unsafe { Self::backend(state) };
        answer(\"appended\", || backend.appended(key))
    }

    unsafe extern \"C\" fn clear(",
    ),
    // A method of mutexes.
    (
        "mutex.rs",
        "    fn is_locked(&self) -> Result<bool>;",
        "    fn is_locked(&self) -> Result<bool>;

    fn appended(&self) -> Result<bool> {
        self.is_locked()
    }",
    ),
    (
        "adapter/mutex.rs",
        "        destroy: Self::destroy,",
        "        destroy: Self::destroy,
        appended: Self::appended,",
    ),
    (
        "adapter/mutex.rs",
        "    unsafe extern \"C\" fn destroy(",
        "    unsafe extern \"C\" fn appended(state: *const (), appended: &mut bool) -> RawValue {
        let mutex = unsafe { Self::mutex(state) };
        done(\"appended\", || {
            *appended = mutex.appended()?;
            Ok(())
        })
    }

    unsafe extern \"C\" fn destroy(",
    ),
    (
        "adapter/mutex.rs",
        "        Ok(locked)
    }",
        "        Ok(locked)
    }

    fn appended(&self) -> Result<bool> {
        let Some(call) = self.raw.table.appended() else {
            return self.is_locked();
        };
        let mut appended = false;
        unsafe { call(self.raw.state, &mut appended).take()? };
        Ok(appended)
    }",
    ),
    // Of key manglers.
    (
        "mangler.rs",
        "    fn mangle(&self, key: &str) -> Result<String>;",
        "    fn mangle(&self, key: &str) -> Result<String>;

    fn appended(&self, key: &str) -> Result<String> {
        self.mangle(key)
    }",
    ),
    (
        "adapter/mangler.rs",
        "        destroy: Self::destroy,",
        "        destroy: Self::destroy,
        appended: Self::appended,",
    ),
    (
        "adapter/mangler.rs",
        "    unsafe extern \"C\" fn destroy(",
        "    unsafe extern \"C\" fn appended(state: *const (), key: RStr<'_>) -> RawValue {
        answer(\"appended\", || {
            let text = unsafe { &*state.cast::<M>() }.appended(key.as_str())?;
            Ok(Some(Value::from(text.into_bytes())))
        })
    }

    unsafe extern \"C\" fn destroy(",
    ),
    (
        "adapter/mangler.rs",
        "    /// The mangled key.
    pub fn mangle(",
        "    pub fn appended(&self, key: &str) -> Result<String> {
        let Some(call) = self.raw.table.appended() else {
            return self.mangle(key);
        };
        let crate::abi::Raw::Value(value) = (unsafe { call(self.raw.state, key.into()).take()? }) else {
            return Ok(String::new());
        };
        Ok(String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned())
    }

    /// The mangled key.
    pub fn mangle(",
    ),
    // Of template caches.
    (
        "template_cache/mod.rs",
        "    /// What came of a request, whose text is made: called on the thread that rendered, before it goes on. An error is logged,",
        "    fn appended(&self) -> Result<u64> {
        Ok(u64::from(self.observes()))
    }

    /// What came of a request, whose text is made: called on the thread that rendered, before it goes on. An error is logged,",
    ),
    (
        "adapter/template_cache.rs",
        "        destroy: Self::destroy,",
        "        destroy: Self::destroy,
        appended: Self::appended,",
    ),
    (
        "adapter/template_cache.rs",
        "    unsafe extern \"C\" fn destroy(",
        "    unsafe extern \"C\" fn appended(state: *const (), appended: &mut u64) -> RawValue {
        done(\"appended\", || {
            *appended = unsafe { Self::of(state) }.appended()?;
            Ok(())
        })
    }

    unsafe extern \"C\" fn destroy(",
    ),
    (
        "adapter/template_cache.rs",
        "    /// See [`TemplateCache::observes`].",
        "    pub fn appended(&self) -> Result<u64> {
        let Some(call) = self.raw.table.appended() else {
            return Ok(u64::from(self.observes));
        };
        let mut appended = 0;
        unsafe { call(self.raw.state, &mut appended).take()? };
        Ok(appended)
    }

    /// See [`TemplateCache::observes`].",
    ),
    // A property.
    (
        "abi/mod.rs",
        "    pub const SHARED: u32 = 8;",
        "    pub const SHARED: u32 = 8;
    pub const APPENDED: u32 = 1 << 31;",
    ),
    (
        "adapter/table.rs",
        "                (own.shared, property::SHARED),",
        "                (own.shared, property::SHARED),
                (true, property::APPENDED),",
    ),
    // A kind of error.
    (
        "error.rs",
        "    Timeout = 8,",
        "    Timeout = 8,
    Appended = 9,",
    ),
    (
        "error.rs",
        "            Self::Timeout => \"call-timed-out\",",
        "            Self::Timeout => \"call-timed-out\",
            Self::Appended => \"appended\",",
    ),
    (
        "error.rs",
        "            8 => Self::Timeout,",
        "            8 => Self::Timeout,
            9 => Self::Appended,",
    ),
    // Fields of what crosses as JSON.
    (
        "error.rs",
        "    message: Cow<'static, str>,
    #[serde(",
        "    message: Cow<'static, str>,
    #[serde(default)]
    appended: u64,
    #[serde(",
    ),
    (
        "error.rs",
        "            message: message.into(),",
        "            message: message.into(),
            appended: 7,",
    ),
    (
        "backend.rs",
        "pub struct BackendStats {",
        "pub struct BackendStats {
    #[serde(default)]
    pub appended: u64,",
    ),
    (
        "adapter/plugin.rs",
        "pub struct PluginInfo {",
        "pub struct PluginInfo {
    #[serde(default)]
    pub appended: Vec<String>,",
    ),
    (
        "adapter/provide.rs",
        "        let mut info = PluginInfo {",
        "        let mut info = PluginInfo {
            appended: vec![\"appended\".to_owned()],",
    ),
    // Reserved words: of a lease, of a request, of an entry.
    (
        "mutex.rs",
        "            reserved: [0; 2],
        }",
        "            reserved: [7, 0],
        }",
    ),
    (
        "mutex.rs",
        "    /// The same lease with that tag.",
        "    pub const fn appended(&self) -> u64 {
        self.reserved[0]
    }

    /// The same lease with that tag.",
    ),
    (
        "template_cache/request.rs",
        "    /// The template engine: `tera`",
        "    pub fn appended(&self) -> usize {
        self.reserved[0]
    }

    /// The template engine: `tera`",
    ),
    (
        "adapter/template_cache.rs",
        "        reserved: [0; 4],",
        "        reserved: [7, 0, 0, 0],",
    ),
    // A longer header of values, and a flag in it.
    (
        "value/header.rs",
        "HEADER_LENGTH: u8 = size_of::<Header>() as u8;",
        "HEADER_LENGTH: u8 = size_of::<Header>() as u8 + 16;",
    ),
    (
        "value/make.rs",
        "            code: 0,",
        "            code: 1 << 15,",
    ),
];
