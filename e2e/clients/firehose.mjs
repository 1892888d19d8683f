// Follows the firehose with the stock consumer `@atproto/sync`, which verifies every commit against the account's signing key.
//
// Usage: firehose.mjs '{"service":"wss://host","plc":"http://plc","cursor":0,"until":42}'
// Prints one JSON line per event, in the order of arrival: {"seq","did","kind"} for every message, then one
// {"seq","did","op":"create|update|delete","path","cid"} per verified operation. After a verification failure it prints {"failure"}; the exit code is 1.
// Exits with 0 after the message `until`. Without `until` it runs until SIGTERM.
import { IdResolver } from "@atproto/identity";
import { Firehose } from "@atproto/sync";

const { service, plc, cursor, until } = JSON.parse(process.argv[2]);
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function fail(error) {
  print({ failure: error.message, cause: String(error.cause ?? "") });
  process.exitCode = 1;
  if (error.constructor.name !== "FirehoseSubscriptionError") setImmediate(() => process.exit(1));
}

let last = cursor;
const runner = {
  getCursor: () => last,
  // Messages are handled one at a time, so that they are printed in the order of arrival.
  queue: Promise.resolve(),
  trackEvent(did, seq, handle) {
    this.queue = this.queue.then(async () => {
      print({ seq, did, kind: "message" });
      await handle();
      last = seq;
      if (until !== undefined && seq >= until) process.exit(process.exitCode ?? 0);
    });
    return this.queue;
  },
};

const firehose = new Firehose({
  service,
  runner,
  idResolver: new IdResolver({ plcUrl: plc, fetch: globalThis.fetch }),
  unauthenticatedHandles: true,
  subscriptionReconnectDelay: 100,
  maxReconnectSeconds: 1,
  onError: fail,
  handleEvent: (event) => {
    const { seq, did } = event;
    switch (event.event) {
      case "create":
      case "update":
        return print({ seq, did, op: event.event, path: `${event.collection}/${event.rkey}`, cid: String(event.cid), rev: event.rev });
      case "delete":
        return print({ seq, did, op: "delete", path: `${event.collection}/${event.rkey}`, rev: event.rev });
      case "account":
        return print({ seq, did, account: { active: event.active, status: event.status } });
      case "identity":
        return print({ seq, did, identity: {} });
      case "sync":
        return print({ seq, did, sync: { cid: String(event.cid), rev: event.rev } });
    }
  },
});

process.on("SIGTERM", () => process.exit(process.exitCode ?? 0));
await firehose.start();
