// Reads calendars with ical.js, or mails with mailparser: "node read.mjs ical.js" or "node read.mjs mailparser".
// One in base64 on each line that comes in, what was read of it as JSON on each line that goes out; instants are
// seconds since 1970. What cannot be read is answered with the error.
import { createInterface } from "node:readline";
import ICAL from "ical.js";
import { simpleParser } from "mailparser";

const UNTIL = Date.UTC(2031, 0, 1) / 1000;

// A floating time is one of this machine's own zone, which is what toJSDate takes it for.
const seconds = (time) => time.toJSDate().getTime() / 1000;

function readCalendar(bytes) {
  const calendar = new ICAL.Component(ICAL.parse(bytes.toString("utf8")));
  const components = calendar.getAllSubcomponents("vevent");
  return {
    method: calendar.getFirstPropertyValue("method"),
    events: components.map(eventOf),
    instants: components.flatMap((one) => instantsOf(one, components)).sort((a, b) => a[0] - b[0] || a[1] - b[1]),
  };
}

function eventOf(component) {
  const event = new ICAL.Event(component, { exceptions: [] });
  return {
    uid: event.uid,
    sequence: event.sequence,
    starts: seconds(event.startDate),
    ends: seconds(event.endDate),
    recurrence: event.recurrenceId ? seconds(event.recurrenceId) : null,
    status: component.getFirstPropertyValue("status"),
    organizer: event.organizer,
    attendees: event.attendees.map((attendee) => attendee.getFirstValue()),
    summary: event.summary,
  };
}

function instantsOf(component, all) {
  const event = new ICAL.Event(component, { exceptions: [] });
  if (!event.isRecurring()) return [[seconds(event.startDate), seconds(event.endDate)]];
  const replaced = all
    .map((one) => new ICAL.Event(one, { exceptions: [] }))
    .filter((one) => one.uid === event.uid && one.recurrenceId)
    .map((one) => seconds(one.recurrenceId));
  const length = seconds(event.endDate) - seconds(event.startDate);
  const found = [];
  const starts = event.iterator();
  for (let start = starts.next(); start && seconds(start) < UNTIL; start = starts.next()) {
    if (!replaced.includes(seconds(start))) found.push([seconds(start), seconds(start) + length]);
  }
  return found;
}

async function readMail(bytes) {
  const mail = await simpleParser(bytes);
  const people = (found) => [found ?? []].flat().flatMap((one) => one.value).map(({ name, address }) => ({ name, address }));
  return {
    headers: mail.headerLines.map((line) => line.key),
    subject: mail.subject ?? null,
    from: people(mail.from),
    to: people(mail.to),
    replyTo: people(mail.replyTo),
    messageId: mail.messageId ?? null,
    text: mail.text ?? null,
    html: mail.html || null,
    parts: mail.attachments.map((part) => ({
      type: part.contentType,
      parameters: part.headers.get("content-type").params,
      disposition: part.contentDisposition ?? null,
      filename: part.filename ?? null,
      content: part.content.toString("base64"),
    })),
  };
}

const read = { "ical.js": readCalendar, mailparser: readMail }[process.argv[2]];
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await read(Buffer.from(line, "base64"));
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
