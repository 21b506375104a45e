//! A real browser without a screen: Chromium, steered through chromedriver.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tempfile::TempDir;
use thirtyfour::{By, CapabilitiesHelper as _, ChromeCapabilities, ChromiumLikeCapabilities as _, WebDriver};
use tokio::runtime::Runtime;

use crate::rig::port;
use crate::rig::process::Process;
use crate::rig::wait;

/// How long one step may take on a busy machine.
const STEP: Duration = Duration::from_mins(1);

/// Chromium as it runs as root, without asking anybody on the network for anything.
const FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    // Containers have little of it.
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--no-proxy-server",
    "--lang=en-US",
    "--window-size=1400,1200",
];

/// One window of a browser.
pub(crate) struct Browser {
    runtime: Runtime,
    driver: Option<WebDriver>,
    // In the order in which they end: the window is closed before.
    _chromedriver: Process,
    _folder: TempDir,
}

impl Browser {
    /// Opens an empty window.
    pub(crate) fn start() -> Self {
        let port = port::free();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).env("HOME", folder.path()).env_remove("DBUS_SESSION_BUS_ADDRESS");
        let mut chromedriver = Process::start("chromedriver", &mut command, &folder.path().join("log"));
        chromedriver.ready(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());

        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let address = format!("http://127.0.0.1:{port}");
        let window = WebDriver::builder(address, capabilities(folder.path())).client(client());
        let driver = runtime.block_on(window.into_future());
        Self { runtime, driver: Some(driver.unwrap()), _chromedriver: chromedriver, _folder: folder }
    }

    /// Goes to an address and waits until the page is there.
    pub(crate) fn open(&self, url: &str) {
        self.runtime.block_on(self.driver().goto(url)).unwrap();
    }

    /// What a script in the page returns.
    pub(crate) fn evaluate<T: DeserializeOwned>(&self, script: &str) -> T {
        self.runtime.block_on(async { self.driver().execute(script, vec![]).await?.convert() }).unwrap()
    }

    /// Clicks on the first element of this `XPath`; `false` if there is none.
    pub(crate) fn click(&self, xpath: &str) -> bool {
        self.runtime.block_on(async {
            match self.driver().find(By::XPath(xpath)).await {
                Ok(element) => element.click().await.map(|()| true).unwrap(),
                Err(_) => false,
            }
        })
    }

    /// As [`Browser::click`], where that leads to another page: waits until it is there. Whoever went on at once
    /// could keep a form from being sent.
    pub(crate) fn click_through(&self, xpath: &str) -> bool {
        const MARK: &str = "window.isThePageBefore = true";
        const ARRIVED: &str = "return window.isThePageBefore === undefined && document.readyState === 'complete'";
        self.evaluate::<()>(MARK);
        let clicked = self.click(xpath);
        let arrived = || async { self.driver().execute(ARRIVED, vec![]).await?.convert::<bool>() };
        // Between two pages there is none that could answer.
        wait::until("another page", STEP, || !clicked || self.runtime.block_on(arrived()).unwrap_or(false));
        clicked
    }

    /// Keeps what the window shows as a PNG file.
    pub(crate) fn screenshot(&self, path: &Path) {
        let image = self.runtime.block_on(self.driver().screenshot_as_png()).unwrap();
        fs::write(path, image).unwrap();
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // So that it can end in order. What is left of it then ends with chromedriver's process group.
        if let Some(driver) = self.driver.take()
            && let Err(error) = self.runtime.block_on(driver.quit())
        {
            eprintln!("the browser was not closed: {error}");
        }
    }
}

fn capabilities(folder: &Path) -> ChromeCapabilities {
    let mut capabilities = ChromeCapabilities::new();
    capabilities.set_binary("/usr/bin/chromium").unwrap();
    for flag in FLAGS {
        capabilities.add_arg(flag).unwrap();
    }
    capabilities.add_arg(&format!("--user-data-dir={}", folder.join("profile").display())).unwrap();
    // "Are you sure?" - yes.
    capabilities.set("unhandledPromptBehavior", "accept").unwrap();
    capabilities
}

fn client() -> reqwest::Client {
    // reqwest wants to know who does TLS, even where there is none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(STEP).build().unwrap()
}
