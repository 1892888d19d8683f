// To be preloaded with `--import`. Resolves the names in AURORA_HOSTS ("name=address,*.suffix=address") like a hosts file, so that stock
// clients reach the Services of a cluster by their public names. All other names are resolved by the system.
import dns from "node:dns";

const entries = (process.env.AURORA_HOSTS ?? "").split(",").filter(Boolean).map((entry) => {
  const [name, address] = entry.split("=");
  return { name, address };
});

function addressOf(hostname) {
  const exact = entries.find((e) => e.name === hostname);
  if (exact) return exact.address;
  return entries.find((e) => e.name.startsWith("*.") && hostname.endsWith(e.name.slice(1)))?.address;
}

const lookup = dns.lookup;
dns.lookup = (hostname, options, callback) => {
  const done = typeof options === "function" ? options : callback;
  const address = addressOf(hostname);
  if (!address) return lookup(hostname, options, callback);
  const all = typeof options === "object" && options.all;
  process.nextTick(() => (all ? done(null, [{ address, family: 4 }]) : done(null, address, 4)));
};
