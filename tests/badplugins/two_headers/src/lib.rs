//! Exports two plugins, each of which would be good.

mod one {
    use dogpile_plugin_api::{
        Backend, HostContext, Key, NoArguments, Result, Value, export_plugin,
    };

    struct Nothing;

    impl Backend for Nothing {
        type Arguments = NoArguments;

        fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
            Ok(Self)
        }

        fn get(&self, _: &Key) -> Result<Option<Value>> {
            Ok(None)
        }

        fn set(&self, _: &Key, _: &Value) -> Result<()> {
            Ok(())
        }

        fn delete(&self, _: &Key) -> Result<()> {
            Ok(())
        }
    }

    export_plugin! { backends: { "nothing" => Nothing } }
}

mod other {
    use dogpile_plugin_api::abi::{PluginHeader, PluginTableRef};

    extern "C" fn table() -> PluginTableRef {
        unreachable!("the library is refused")
    }

    #[unsafe(export_name = "__dogpile_plugin_other")]
    #[used]
    static HEADER: PluginHeader = PluginHeader::new(true, table);
}
