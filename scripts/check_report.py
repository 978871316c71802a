"""A run's page in a headless Chromium, as a reader opens it: from disk, wide and on a phone, light and dark, printed.

    python scripts/check_report.py [report.html [FOLDER]]     FOLDER: where the pictures go

Fails on a message in the console, on any request but for the page itself, on a page wider than its window, on a plot
without a name or without a table beside it, on text that stands out too little from what is behind it.  Speaks
Chromium's DevTools protocol through two pipes, so that nothing but Chromium is needed.
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

REPORT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "runs/quickstart/report.html")
PICTURES = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
PHONE, DESK = (390, 844), (1280, 900)
VIEWS = [("desk-light", DESK, "light"), ("desk-dark", DESK, "dark"), ("phone-light", PHONE, "light"),
         ("phone-dark", PHONE, "dark")]
NOISE = {"Network.requestWillBeSent", "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}

# What a page must be, asked of the page: a list of sentences, empty where all is well.
QUESTIONS = r"""(() => {
  const wrong = [];
  const root = document.documentElement;
  if (root.scrollWidth > screen.width) wrong.push(`${root.scrollWidth} wide in ${screen.width}`);
  for (const svg of document.querySelectorAll('svg:not([aria-hidden])')) {
    const named = (svg.getAttribute('aria-labelledby') || '').split(' ').every(id => document.getElementById(id));
    if (svg.getAttribute('role') !== 'img' || !svg.hasAttribute('aria-labelledby') || !named)
      wrong.push('a plot without a name: ' + svg.outerHTML.slice(0, 80));
    if (!svg.closest('figure')?.querySelector('table'))
      wrong.push('a plot without its table: ' + svg.getAttribute('aria-labelledby'));
  }
  for (const link of document.querySelectorAll('a[href^="#"]'))
    if (!document.getElementById(link.getAttribute('href').slice(1))) wrong.push('a link to nothing: ' + link);
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  if (new Set(ids).size !== ids.length) wrong.push('an id twice');
  if (document.querySelectorAll('h1').length !== 1 || !root.lang) wrong.push('not one h1, or no lang');
  const channels = colour => (colour.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = channels(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return window.matchMedia('(prefers-color-scheme: dark)').matches ? [0, 0, 0] : [255, 255, 255];
  };
  for (const e of document.querySelectorAll('body, body *:not(svg, svg *)')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(channels(getComputedStyle(e).color)), light(behind(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const where = `${e.tagName} ${e.textContent.trim().slice(0, 40)}`;
    if (contrast < 4.5) wrong.push(`contrast ${contrast.toFixed(1)}: ${where}`);
  }
  return [...new Set(wrong)];
})()"""


class Browser:
    """A headless Chromium and one page of it."""

    def __init__(self, program, folder):
        to_read, self.to = os.pipe()
        self.answers, from_write = os.pipe()

        def connect():  # Chromium reads what it is asked from 3 and answers on 4
            os.dup2(os.dup(to_read), 3)
            os.dup2(os.dup(from_write), 4)

        call = [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
                f"--user-data-dir={folder}", "--force-color-profile=srgb", "--hide-scrollbars", "about:blank"]
        self.process = subprocess.Popen(call, preexec_fn=connect, close_fds=False, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.number, self.rest, self.heard, self.session = 0, b"", [], None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.ask(domain + ".enable")

    def hear(self):
        while b"\0" not in self.rest:
            got = os.read(self.answers, 1 << 20)
            if not got:
                raise SystemExit("chromium ended")
            self.rest += got
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.hear()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"chromium: {method}: {answer['error']}")
                return answer["result"]
            self.heard.append(answer)

    def open(self, url):
        self.heard.clear()
        self.ask("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.heard):
            self.heard.append(self.hear())
        self.ask("Runtime.evaluate", awaitPromise=True,
                 expression="new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")

    def close(self):
        self.process.kill()
        self.process.wait()


def complaints(browser, url):
    """What the browser said and fetched beyond the page."""
    for event in browser.heard:
        if event["method"] not in NOISE:
            continue
        asked = event["params"].get("request", {}).get("url", "")
        if event["method"] != "Network.requestWillBeSent" or not (asked == url or asked.startswith("data:")):
            yield f"{event['method']}: {asked or event['params']}"


def save(name, data):
    if PICTURES:
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / name).write_bytes(base64.b64decode(data))


def look(browser, url):
    wrong = []
    for name, (width, height), scheme in VIEWS:
        browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                    screenWidth=width, screenHeight=height, mobile=width == PHONE[0])
        browser.ask("Emulation.setEmulatedMedia", media="screen",
                    features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.open(url)
        answer = browser.ask("Runtime.evaluate", expression=QUESTIONS, returnByValue=True)
        found = answer["result"].get("value", [f"the questions failed: {answer.get('exceptionDetails')}"])
        wrong += [f"{name}: {what}" for what in list(found) + list(complaints(browser, url))]
        save(name + ".png", browser.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"])
    browser.ask("Emulation.setEmulatedMedia", media="", features=[])
    pdf = browser.ask("Page.printToPDF", printBackground=False)["data"]
    if len(pdf) < 10000:
        wrong.append("printed: hardly anything")
    save("printed.pdf", pdf)
    return wrong


def main():
    program = shutil.which("chromium")
    if not program or not REPORT.exists():
        print(f"SKIPPED: {'no ' + str(REPORT) if program else 'no chromium'}")
        return 77
    url = REPORT.resolve().as_uri()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(program, folder)
        try:
            wrong = look(browser, url)
        finally:
            browser.close()
    for what in wrong:
        print(f"{REPORT}: {what}")
    if not wrong:
        print(f"{REPORT}: {len(VIEWS)} views and a print, nothing in the console, no request, no plot without a table")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
