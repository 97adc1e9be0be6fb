"""Sends a prepared message with smtplib, as an application would: STARTTLS, a verified certificate, login()."""

import os
import smtplib
import ssl

env = os.environ
with open(env["SMTP_MESSAGE_FILE"], "rb") as file:
    message = file.read()

context = ssl.create_default_context(cafile=env["SMTP_CA_FILE"])
with smtplib.SMTP(env["SMTP_HOST"], int(env["SMTP_PORT"]), timeout=20) as smtp:
    smtp.starttls(context=context)
    smtp.login(env["SMTP_USER"], env["SMTP_PASSWORD"])
    smtp.sendmail(env["SMTP_FROM"], [env["SMTP_TO"]], message, mail_options=["BODY=8BITMIME"])
