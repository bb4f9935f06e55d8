//! A headless Chromium that a test looks into: the DevTools protocol over its pipe (`--remote-debugging-pipe`, messages of
//! JSON that end in a zero byte), so that no port is opened and no WebSocket is needed.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine;
use image::RgbImage;
use serde_json::{Value, json};

/// A busy machine needs long to start a browser.
const PATIENCE: Duration = Duration::from_secs(90);
/// What makes a headless browser's pictures the same anywhere. The sandbox needs rights that a container lacks; the pages
/// are our own.
const ARGUMENTS: [&str; 7] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--enable-logging=stderr",
];

/// The browser to test with, or why there is none.
pub fn find() -> Result<PathBuf, String> {
    let from_user = std::env::var_os("STRIDEPOSE_CHROMIUM").filter(|path| !path.is_empty()).map(PathBuf::from);
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let in_path =
        || names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()));
    let Some(program) = from_user.or_else(in_path) else {
        return Err(format!("no {} in PATH and STRIDEPOSE_CHROMIUM is not set", names.join(", ")));
    };
    // What is called so may only tell to install a snap.
    let version = Command::new(&program).arg("--version").stdin(Stdio::null()).output();
    match version {
        Ok(output) if output.status.success() => Ok(program),
        Ok(output) => {
            Err(format!("{} --version: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(error) => Err(format!("{} cannot be run: {error}", program.display())),
    }
}

/// Stdout and stderr of a run that prints the page's document as it is when its scripts have run.
pub fn dump_dom(program: &Path, address: &str) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.args(ARGUMENTS).arg(format!("--user-data-dir={}", profile.path().display())).args(["--dump-dom", address]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Option<String>,
    next_id: u64,
    /// What the page did that nobody asked for: exceptions and logged errors, as they were told.
    pub complaints: Vec<String>,
    /// Addresses that the page asked for, without itself and what it holds.
    pub requests: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts the browser with a page of this size, px.
    pub fn start(program: &Path, width: u32, height: u32) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The protocol's pipes are file descriptors 3 and 4, which only a shell can make of stdin and stdout without unsafe code.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null", "sh"]).arg(program).args(ARGUMENTS);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg(format!("--window-size={width},{height}")).args(["--remote-debugging-pipe", "about:blank"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("sh is there");
        let (to, mut out) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (send, from) = channel();
        std::thread::spawn(move || {
            loop {
                let mut message = Vec::new();
                let read = out.read_until(0, &mut message);
                if !read.is_ok_and(|bytes| bytes > 0) {
                    break;
                }
                message.pop();
                if !serde_json::from_slice(&message).is_ok_and(|message| send.send(message).is_ok()) {
                    break;
                }
            }
        });
        let (complaints, requests) = (Vec::new(), Vec::new());
        let mut browser = Self { child, to, from, session: None, next_id: 1, complaints, requests, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached =
            browser.call("Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }));
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", &size);
        browser
    }

    /// Calls a method of the protocol and gives its result.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.from.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {method}"));
            if answer["id"] == json!(id) {
                assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.take_note(&answer);
        }
    }

    fn take_note(&mut self, event: &Value) {
        let parameters = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => {
                self.complaints.push(parameters["exceptionDetails"]["exception"]["description"].to_string());
            }
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                self.complaints.push(parameters["entry"]["text"].to_string());
            }
            Some("Runtime.consoleAPICalled") if parameters["type"] == "error" => {
                self.complaints.push(parameters["args"].to_string());
            }
            Some("Network.requestWillBeSent") => {
                let address = parameters["request"]["url"].as_str().unwrap_or_default();
                if !address.starts_with("data:") && parameters["type"] != "Document" {
                    self.requests.push(address.to_owned());
                }
            }
            _ => {}
        }
    }

    /// Opens a page and waits until it is loaded; a page that is open already is loaded anew.
    pub fn open(&mut self, address: &str) {
        // To the same file with another hash the browser would only scroll.
        self.call("Page.navigate", &json!({ "url": "about:blank" }));
        self.wait_for("location.href === 'about:blank' && document.readyState === 'complete'");
        self.call("Page.navigate", &json!({ "url": address }));
        self.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'");
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        self.call("Runtime.evaluate", &parameters)["result"]["value"].clone()
    }

    /// Waits until an expression in the page is true.
    pub fn wait_for(&mut self, expression: &str) {
        let began = Instant::now();
        while self.value(expression) != json!(true) {
            assert!(began.elapsed() < PATIENCE, "{expression} does not become true");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Place of an element in the window: x, y, width, height, px. It is scrolled there first.
    pub fn place_of(&mut self, id: &str) -> [f64; 4] {
        let place = self.value(&format!(
            "(() => {{ const e = document.getElementById('{id}'); e.scrollIntoView({{block: 'center'}}); \
             const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; }})()"
        ));
        std::array::from_fn(|index| place[index].as_f64().unwrap_or_else(|| panic!("there is no {id}")))
    }

    /// A picture of an element.
    pub fn picture_of(&mut self, id: &str) -> RgbImage {
        let [x, y, width, height] = self.place_of(id).map(f64::round);
        let shot = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        let png = base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        let window = image::load_from_memory(&png).unwrap().to_rgb8();
        image::imageops::crop_imm(&window, x as u32, y as u32, width as u32, height as u32).to_image()
    }

    /// A mouse event as a hand makes it: `mousePressed`, `mouseMoved`, `mouseReleased` or `mouseWheel`.
    pub fn mouse(&mut self, kind: &str, [x, y]: [f64; 2], wheel: f64) {
        let is_held = kind != "mouseWheel";
        let parameters = json!({
            "type": kind, "x": x, "y": y, "deltaX": 0, "deltaY": wheel,
            "button": if is_held { "left" } else { "none" },
            "buttons": u8::from(is_held && kind != "mouseReleased"), "clickCount": u8::from(is_held && kind != "mouseMoved"),
        });
        self.call("Input.dispatchMouseEvent", &parameters);
    }

    /// Presses and releases the mouse in the middle of an element.
    pub fn click(&mut self, id: &str) {
        let [x, y, width, height] = self.place_of(id);
        let at = [x + width / 2.0, y + height / 2.0];
        self.mouse("mousePressed", at, 0.0);
        self.mouse("mouseReleased", at, 0.0);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
