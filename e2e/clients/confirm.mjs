// Confirms the e-mail address of an account with the code that the server mails, with the stock client `@atproto/api`.
//
// Usage: confirm.mjs '{"url","handle","password","mailpit"}'      mailpit: the URL of the Mailpit that gets the server's mails
// An address that is confirmed already stays so, and no mail is sent.
// Prints one JSON line: {"email","confirmed":true,"subject"?}
import assert from "node:assert/strict";
import { AtpAgent } from "@atproto/api";

const { url, handle, password, mailpit } = JSON.parse(process.argv[2]);
const agent = new AtpAgent({ service: url });
await agent.login({ identifier: handle, password });
const { email } = agent.session;

async function mails() {
  const answer = await fetch(`${mailpit}/api/v1/search?query=${encodeURIComponent(`to:"${email}"`)}`);
  assert(answer.ok, `Mailpit answered ${answer.status}`);
  return (await answer.json()).messages;
}

// The newest mail that was not there before.
async function newMail(before) {
  for (let tries = 0; tries < 300; tries++) {
    const mail = (await mails()).find((found) => !before.has(found.ID));
    if (mail) return (await fetch(`${mailpit}/api/v1/message/${mail.ID}`)).json();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no mail to ${email} arrived within 30 s`);
}

let subject;
if (!agent.session.emailConfirmed) {
  const before = new Set((await mails()).map((mail) => mail.ID));
  await agent.com.atproto.server.requestEmailConfirmation();
  const mail = await newMail(before);
  subject = mail.Subject;
  const token = mail.Text.match(/\b[A-Z2-7]{5}-[A-Z2-7]{5}\b/)?.[0];
  assert(token, `no code in ${mail.Text}`);
  await agent.com.atproto.server.confirmEmail({ email, token });
}
const { data } = await agent.com.atproto.server.getSession();
assert.equal(data.emailConfirmed, true);
process.stdout.write(`${JSON.stringify({ email, confirmed: true, subject })}\n`);
