// A bench for the tests: the embedded instrument, the program that serves the dashboard, and a browser in front of it.
//
//     npm ci && CTP10_BIN=../../target/debug/ctp10 npm test        (SCREENSHOTS=folder for pictures; CHROMIUM=path for another browser)

import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const BIN = process.env.CTP10_BIN && path.resolve(process.env.CTP10_BIN);
const RECIPES = fileURLToPath(new URL('recipes', import.meta.url));
// Nothing here depends on the machine's speed: this only ends what would never end.
export const LIMIT_MS = 60_000;

const BROWSER = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP evil.example 127.0.0.1',
  ],
};

/** Waits until `probe` gives something true, and gives that. */
export async function until(what, probe) {
  const began = Date.now();
  let last;
  while (Date.now() - began < LIMIT_MS) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await pause(50);
  }
  throw new Error(`waited in vain until ${what}; last: ${last}`);
}

/** A process of the program that listens somewhere; it can be killed and started again at the same place. */
class Listener {
  #args;
  #options;
  #process = null;
  address = '127.0.0.1:0';

  constructor(args, options) {
    this.#args = args;
    this.#options = options;
  }

  async start() {
    const args = [...this.#args, '--listen', this.address];
    this.#process = spawn(BIN, args, { ...this.#options, stdio: ['ignore', 'pipe', 'pipe'] });
    let told = '';
    this.#process.stderr.on('data', (data) => (told = `${told}${data}`.slice(-4000)));
    const ended = new Promise((_, reject) => {
      this.#process.once('error', reject);
      this.#process.once('exit', (code) => reject(new Error(`ctp10 ${args.join(' ')} ended with ${code}: ${told}`)));
    });
    ended.catch(() => {});
    const lines = readline.createInterface({ input: this.#process.stdout });
    const line = await Promise.race([new Promise((resolve) => lines.once('line', resolve)), ended]);
    this.address = line.replace(/^listening on (http:\/\/)?/, '').replace(/\/.*$/, '');
  }

  async kill() {
    const ended = this.#process;
    this.#process = null;
    if (ended === null || ended.exitCode !== null || ended.signalCode !== null) return;
    const gone = new Promise((resolve) => ended.once('exit', resolve));
    ended.kill('SIGKILL');
    await gone;
  }
}

export class Bench {
  /**
   * `timeScale` stretches what the instrument does: states that a test looks for last long enough to be seen.
   * `simulate` has more arguments of that command. `tokens` are the token and the read-only one; `basePath` is a path
   * prefix.
   */
  static async open({ timeScale = 1, viewport = { width: 1440, height: 1000 }, simulate = [], tokens = [], basePath = '' } = {}) {
    if (!BIN) throw new Error('CTP10_BIN names the program to test');
    const bench = new Bench();
    bench.folder = await mkdtemp(path.join(tmpdir(), 'ctp10-browser-'));
    const home = path.join(bench.folder, 'home');
    await mkdir(home);
    await cp(RECIPES, path.join(bench.folder, 'recipes'), { recursive: true });
    const inherited = Object.entries(process.env).filter(([name]) => !/^(CTP10_|XDG_)/.test(name));
    const options = { cwd: bench.folder, env: { ...Object.fromEntries(inherited), HOME: home } };
    try {
      bench.instrument = new Listener(['simulate', '--time-scale', String(timeScale), ...simulate], options);
      await bench.instrument.start();
      const serve = ['serve', '--instrument', bench.instrument.address, '--out', path.join(bench.folder, 'runs')];
      for (const [place, option] of ['--token-file', '--read-token-file'].entries()) {
        if (tokens[place] === undefined) continue;
        const file = path.join(bench.folder, `token-${place}`);
        await writeFile(file, tokens[place], { mode: 0o600 });
        serve.push(option, file);
      }
      if (basePath) serve.push('--base-path', basePath);
      bench.basePath = basePath;
      bench.token = tokens[0];
      bench.server = new Listener(serve, options);
      await bench.server.start();
      bench.browser = await chromium.launch(BROWSER);
      bench.page = await bench.newPage({ viewport });
      return bench;
    } catch (error) {
      await bench.close();
      throw error;
    }
  }

  problems = [];

  get url() {
    return `http://${this.server.address}${this.basePath}`;
  }

  async newPage(options) {
    const context = await this.browser.newContext(options);
    const page = await context.newPage();
    page.setDefaultTimeout(LIMIT_MS);
    page.on('pageerror', (error) => this.problems.push(`uncaught: ${error}`));
    page.on('console', (message) => {
      if (/Content Security Policy/.test(message.text())) this.problems.push(message.text());
    });
    page.on('dialog', (dialog) => {
      this.problems.push(`a browser dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    return page;
  }

  async close() {
    await this.browser?.close();
    await this.server?.kill();
    await this.instrument?.kill();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Asks the program itself, past the page. */
  async ask(where, body) {
    const authorization = this.token && { authorization: `Bearer ${this.token}` };
    const headers = { ...authorization, ...(body !== undefined && { 'content-type': 'application/json' }) };
    const options = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
    const response = await fetch(this.url + where, options);
    return response.json();
  }

  /** Waits for a text in the page. */
  sees(selector, pattern) {
    return until(`${selector} says ${pattern}`, async () => {
      const texts = await this.page.locator(selector).allTextContents();
      return texts.find((text) => pattern.test(text)) ?? Promise.reject(new Error(JSON.stringify(texts)));
    });
  }

  /** The reading of a channel of live power; of a dark one, the reading behind the word. */
  reading(channel) {
    return this.page.locator(`.tile[data-channel="${channel}"] .number`).evaluate((number) => number.title || number.textContent);
  }

  /** Opens the drawer with the form, if it is closed. */
  async openForm() {
    if (!(await this.page.locator('#start').isVisible())) await this.page.click('#start-open');
    await this.sees('#start-recipe option', /./);
  }

  /** Shows one of the tabs: figures, traces, steps, log. */
  tab(name) {
    return this.page.click(`#tab-${name}`);
  }

  /** Starts a recipe, and gives the identifier of the run, which may have ended already. */
  async startFromList(recipe, parameters = {}) {
    const { last_run: before } = await this.ask('/instrument');
    await this.openForm();
    await this.page.selectOption('#start-recipe', { label: recipe });
    for (const [name, value] of Object.entries(parameters)) await this.page.fill(`#parameter-${name}`, String(value));
    await this.page.click('#start-go');
    await this.sees('#run-title', new RegExp(`^${recipe}$`));
    return until('the run has begun', async () => {
      const { last_run: id } = await this.ask('/instrument');
      return id !== before && id;
    });
  }

  async abort() {
    await this.page.click('#run-abort');
    await this.page.click('#abort-dialog button[value="abort"]');
    await this.sees('#run-state', /^aborted$/);
  }

  /** The page did nothing that the browser refused or that it did not expect. */
  assertQuiet() {
    if (this.problems.length > 0) throw new Error(this.problems.join('\n'));
  }

  /** A picture for people, when somebody wants them. */
  async picture(name, options = {}) {
    const folder = process.env.SCREENSHOTS;
    if (!folder) return;
    await mkdir(folder, { recursive: true });
    await this.page.screenshot({ path: path.join(folder, `${name}.png`), ...options });
  }
}
