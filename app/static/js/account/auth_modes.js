import { MailedLink } from "./mailed_link.js";

// The answer must not show whether the address has an account.
const sentIfKnown = (email) => `If an account exists for ${email}, we've sent an email.`;
const sent = (email) =>
  `We've sent a link to ${email}. Open it to confirm your email, then sign in.`;

const requestLink =
  (kind) =>
  (_, { fields }) =>
    new MailedLink({}, { kind }).ask(fields.email.value);

/**
 * The modes of the auth dialog. `title` and `submit` are its texts; `invitation` is the title before a purpose like "to
 * like this comment". `first` is the field that gets the focus. `act` (account, form) sends the fields. If nobody is
 * signed in after `act`, the dialog shows `sent`, and the mode `again` requests another email.
 */
export const MODES = {
  signin: {
    title: "Welcome back",
    invitation: "Sign in",
    submit: "Sign in",
    first: "email",
    password: "current-password",
    act: (account, form) => {
      const remember_me = form.fields.remember_me.checked;
      return account.signIn({ ...form.values("email", "password"), remember_me });
    },
  },
  signup: {
    title: "Create an account",
    invitation: "Create an account",
    submit: "Sign up",
    first: "username",
    password: "new-password",
    act: (account, form) => account.signUp(form.values("email", "username", "password")),
    sent,
    again: "confirm",
  },
  forgot: {
    title: "Forgot your password?",
    submit: "Send link",
    first: "email",
    act: requestLink("resets"),
    sent: sentIfKnown,
    again: "forgot",
  },
  unlock: {
    title: "Unlock your account",
    submit: "Send link",
    first: "email",
    act: requestLink("unlocks"),
    sent: sentIfKnown,
    again: "unlock",
  },
  confirm: {
    title: "Confirm your email",
    submit: "Resend link",
    first: "email",
    act: requestLink("confirmations"),
    sent: sentIfKnown,
    again: "confirm",
  },
};
