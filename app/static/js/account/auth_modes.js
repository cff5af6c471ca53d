// A mode that requests an email with a link. `kind`: "resets" | "confirmations" | "unlocks". Neither the response nor the
// message shows whether the address has an account.
const emailMode = (title, submit, kind) => ({
  title,
  submit,
  first: "email",
  act: (account, form) => account.send("create", `/api/${kind}`, form.values("email")),
  sent: (email) => `If an account exists for ${email}, we've sent an email.`,
});

/**
 * The modes of the auth dialog. `title` and `submit` are its texts; `invitation` is the title before a purpose like
 * "to like this comment". `first` is the field that gets the focus. `act` (account, form) sends the fields. If nobody is
 * signed in after `act`, the dialog shows `sent`. The mode `again`, or else the same mode, requests another email.
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
    sent: (email) => `We've sent a link to ${email}. Open it to confirm your email, then sign in.`,
    again: "confirm",
  },
  forgot: emailMode("Forgot your password?", "Send link", "resets"),
  unlock: emailMode("Unlock your account", "Send link", "unlocks"),
  confirm: emailMode("Confirm your email", "Resend link", "confirmations"),
};
