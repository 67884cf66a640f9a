// What the server says of the runs, as it happens. A connection that breaks is made again by the
// browser, which goes on after the last event that it has; a server that cannot go on sends
// everything anew.

const lists = new Set(["log", "monitor", "filters", "notices"]);

// The longest list of a page: beyond it, every second point goes.
const longest = { log: 12000, monitor: 480, filters: 480, notices: 200 };

export class Stream {
  // changed is called with a set of the kinds that changed, at most once a frame.
  constructor(changed) {
    this.runs = [];
    this.connected = false;
    this.changed = changed;
    this.dirty = new Set();
    this.waiting = false;
    this.connect();
  }

  connect() {
    this.source = new EventSource("/api/events");
    this.source.onopen = () => this.link(true);
    this.source.onmessage = (e) => this.take(JSON.parse(e.data));
    this.source.onerror = () => {
      this.link(false);
      if (this.source.readyState === EventSource.CLOSED) setTimeout(() => this.connect(), 5000); // it was refused
    };
  }

  link(connected) {
    this.connected = connected;
    this.mark("link");
  }

  take({ run, kind, data }) {
    if (kind === "reset") {
      this.runs = data.map((r, id) => ({ id, name: r.name, control: r.control, log: [], monitor: [], filters: [], notices: [] }));
      this.mark("all");
      return;
    }
    if (kind === "ready") {
      this.mark("all");
      return;
    }
    const r = this.runs[run];
    if (!r) return;
    if (lists.has(kind)) {
      r[kind].push(...data);
      if (r[kind].length > longest[kind]) {
        const last = r[kind].length - 1;
        r[kind] = r[kind].filter((p, i) => i % 2 === 0 || i === last || p.test_loss != null);
      }
    } else {
      r[kind] = data;
    }
    this.mark(kind);
  }

  mark(kind) {
    this.dirty.add(kind);
    if (this.waiting) return;
    this.waiting = true;
    const tell = () => {
      this.waiting = false;
      const kinds = this.dirty;
      this.dirty = new Set();
      this.changed(kinds);
    };
    requestAnimationFrame(tell);
  }
}
