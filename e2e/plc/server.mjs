// Runs the published PLC directory server, on PostgreSQL if DATABASE_URL is set and otherwise in memory. PORT defaults to 2582; 0 selects a
// free port. When the server is ready, it prints one JSON line with its port.
import directory from "@did-plc/server";

const { Database, PlcServer } = directory;
const url = process.env.DATABASE_URL;
const db = url ? Database.postgres({ url }) : Database.mock();

async function migrate() {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.migrateToLatestOrThrow();
    } catch (error) {
      if (attempt === 60) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

if (url) await migrate();
const server = PlcServer.create({ db, port: Number(process.env.PORT ?? 2582), version: "0.0.1" });
const listener = await server.start();
console.log(JSON.stringify({ port: listener.address().port }));
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, async () => {
    await server.destroy();
    process.exit(0);
  });
}
