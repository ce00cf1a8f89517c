/**
 * Finds the API that content will find, now or later, and wraps it.
 *
 * In an LMS's page it is the page's own, which an accessor notices when it is set. In a course's page it is that of a
 * page around it or of the one that opened it: looked for as content does, and nothing but its methods is touched.
 */

import type { Version } from "./settings";
import { type Api, type Listener, type Owner, isApi, readerOf, wrap } from "./wrapping";

export type MakeListener = (version: Version, read: (element: string) => string) => Listener;
type Page = Window & Record<string, any>;

const NAMES: [string, Version][] = [["API", "1.2"], ["API_1484_11", "2004"]];
const MAX_DEPTH = 20;
const FIRST_INTERVAL = 100;
const FIRST_LOOKS = 100;
const LATER_INTERVAL = 1000;

/** Watches a page for APIs of both versions until it is left. */
export function watchApis(page: Window, owner: Owner, makeListener: MakeListener): void {
  const names = NAMES.map(([name, version]) => new ApiName(page as Page, name, version, owner, makeListener));
  let looks = 0;
  const look = (): void => {
    if (owner.alive) {
      names.forEach((name) => name.look());
    }
  };
  const lookAgain = (): void => {
    look();
    setTimeout(lookAgain, looks++ < FIRST_LOOKS ? FIRST_INTERVAL : LATER_INTERVAL);
  };
  lookAgain();
  // a declared function takes the name without setting it: looked for before a frame after it can have loaded
  const observer = new MutationObserver(look);
  observer.observe(page.document, { childList: true, subtree: true });
  page.addEventListener("load", () => observer.disconnect());
}

/** A name under which content looks for an API, in one page. */
class ApiName {
  /** What the page has set. */
  private value: unknown;
  private readonly handedOut = new WeakMap<object, Api>();
  private readonly listeners = new WeakMap<object, Listener>();
  private readonly accessor: PropertyDescriptor & { get(): unknown } = {
    configurable: true,
    enumerable: true,
    get: () => this.resolve(),
    set: (value: unknown) => {
      this.value = value;
      this.resolve();
    },
  };

  constructor(
    private readonly page: Page,
    private readonly name: string,
    private readonly version: Version,
    private readonly owner: Owner,
    private readonly makeListener: MakeListener,
  ) {}

  /** Looks whether there is an API by now. */
  look(): void {
    try {
      const own = Object.getOwnPropertyDescriptor(this.page, this.name);
      if (own ? own.get !== this.accessor.get : !this.isAround()) {
        this.guard(own);
      } else if (own && this.value === undefined && this.isAround()) {
        delete this.page[this.name]; // nobody is to wonder why this page has the name
      } else {
        this.resolve();
      }
    } catch (error) {
      // looked for again
    }
  }

  /** Notices what is set under the name from now on, where the page permits it. */
  private guard(own: PropertyDescriptor | undefined): void {
    const value = own ? this.page[this.name] : undefined;
    if (!own || (own.configurable && !own.get && !own.set)) {
      this.value = value;
      Object.defineProperty(this.page, this.name, this.accessor);
      this.resolve();
    } else if (isApi(value, this.version)) {
      const replacement = this.handOut(value);
      if (replacement !== value) {
        this.page[this.name] = replacement;
      }
    }
  }

  /** Returns what the page's name stands for: what was set, or a facade of what a page around has under it. */
  private resolve(): unknown {
    try {
      if (isApi(this.value, this.version)) {
        return this.handOut(this.value);
      }
      if (this.value === undefined || this.value === null) {
        // a frame or an element of this name, which the accessor hides
        const named = (Window.prototype as any)[this.name];
        if (named) {
          return isApi(named, this.version) ? this.handOut(named) : named;
        }
        const around = this.findAround();
        const replacement = around && this.handOut(around);
        if (replacement !== around) {
          return replacement;
        }
      }
    } catch (error) {
      // as if there were no tap
    }
    return this.value;
  }

  private isAround(): boolean {
    const around = this.findAround();
    return !!around && this.handOut(around) === around;
  }

  private findAround(): Api | undefined {
    const { parent, opener, top } = this.page;
    return (
      (parent !== this.page && this.findFrom(parent)) ||
      (opener && this.findFrom(opener)) ||
      (top && top !== this.page && this.findFrom(openerOf(top))) ||
      undefined
    );
  }

  private findFrom(start: Page | null | undefined): Api | undefined {
    let page = start;
    for (let depth = 0; page && depth < MAX_DEPTH; depth++) {
      try {
        const value = page[this.name];
        if (isApi(value, this.version)) {
          return value;
        }
      } catch (error) {
        return undefined; // of another origin: content cannot go on either
      }
      if (page.parent === page) {
        return undefined;
      }
      page = page.parent as Page;
    }
    return undefined;
  }

  private handOut(api: Api): Api {
    const facade = this.handedOut.get(api);
    if (facade) {
      return facade;
    }
    let listener = this.listeners.get(api);
    if (!listener) {
      listener = this.makeListener(this.version, readerOf(api, this.version));
      this.listeners.set(api, listener);
    }
    const wrapped = wrap(api, this.version, this.owner, listener);
    if (wrapped !== api) {
      this.handedOut.set(api, wrapped);
    }
    return wrapped;
  }
}

function openerOf(page: Window): Page | null {
  try {
    return page.opener as Page | null;
  } catch (error) {
    return null;
  }
}
