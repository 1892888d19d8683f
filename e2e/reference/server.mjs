// The reference implementation, with settings from the environment. Ends on SIGTERM.
import { PDS } from "@atproto/pds";

await PDS.run();
