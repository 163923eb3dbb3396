/* SPDX-License-Identifier: MIT */
/* From libcurl's codes to the six kinds of failure that callers distinguish. */
#include <stdio.h>
#include <string.h>

#include "http/out/failure.h"

const char *cnk_http_kind_name(enum cnk_http_kind kind)
{
  static const char *const names[] = {
      [CNK_HTTP_NETWORK] = "network",     [CNK_HTTP_TLS] = "tls",
      [CNK_HTTP_TIMEOUT] = "timeout",     [CNK_HTTP_TOO_LARGE] = "too_large",
      [CNK_HTTP_CANCELLED] = "cancelled", [CNK_HTTP_INVALID] = "invalid",
  };
  return names[kind];
}

void cnk_http_fail(struct cnk_http_failure *failure, enum cnk_http_kind kind, const char *message)
{
  failure->has_failed = true;
  failure->kind = kind;
  if (message != failure->message)
    snprintf(failure->message, sizeof failure->message, "%s", message);
}

void cnk_http_fail_in_queue(struct cnk_http_failure *failure)
{
  cnk_http_fail(failure, CNK_HTTP_TIMEOUT, "timed out while other requests were under way; send fewer at a time");
}

void cnk_http_fail_in_time(struct cnk_http_failure *failure, long timeout_ms, size_t body_seen)
{
  char message[CURL_ERROR_SIZE];
  snprintf(
      message, sizeof message,
      "timed out after %ld ms with %zu bytes of the answer; try again later, or allow more with the option timeout",
      timeout_ms, body_seen);
  cnk_http_fail(failure, CNK_HTTP_TIMEOUT, message);
}

void cnk_http_fail_to_connect(struct cnk_http_failure *failure, long timeout_ms)
{
  char message[64];
  snprintf(message, sizeof message, "no connection within %ld ms", timeout_ms);
  cnk_http_fail(failure, CNK_HTTP_TIMEOUT, message);
}

static enum cnk_http_kind kind_of(CURLcode code, bool has_written)
{
  switch (code) {
  case CURLE_OPERATION_TIMEDOUT: return CNK_HTTP_TIMEOUT;
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_ENGINE_NOTFOUND:
  case CURLE_SSL_ENGINE_SETFAILED:
  case CURLE_SSL_ENGINE_INITFAILED:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CRL_BADFILE:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_SHUTDOWN_FAILED:
  case CURLE_SSL_INVALIDCERTSTATUS:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
  case CURLE_SSL_CLIENTCERT:
  case CURLE_USE_SSL_FAILED: return CNK_HTTP_TLS;
  case CURLE_URL_MALFORMAT:
  case CURLE_BAD_FUNCTION_ARGUMENT:
  case CURLE_UNSUPPORTED_PROTOCOL: /* once something was written, it is the answer that libcurl cannot read */
    return has_written ? CNK_HTTP_NETWORK : CNK_HTTP_INVALID;
  default: return CNK_HTTP_NETWORK;
  }
}

/* libcurl's own sentence says more than the code does ("self-signed certificate"), but it may quote a proxy's URL with
 * its password, or the peer's bytes. So it is used for codes whose sentences name hosts, ports and times only. */
static bool has_plain_message(CURLcode code, enum cnk_http_kind kind, const char *message)
{
  bool is_plain = kind == CNK_HTTP_TLS || kind == CNK_HTTP_TIMEOUT || code == CURLE_COULDNT_CONNECT ||
                  code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
                  code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE;
  return is_plain && !strstr(message, "://");
}

void cnk_http_explain(struct cnk_http_failure *failure, CURLcode code)
{
  switch (failure->verdict) {
  case CNK_HTTP_IS_TOO_LARGE: cnk_http_fail(failure, CNK_HTTP_TOO_LARGE, "the answer is larger than allowed"); return;
  case CNK_HTTP_IS_RESENT:
    cnk_http_fail(failure, CNK_HTTP_NETWORK, "the connection was lost before any answer");
    return;
  case CNK_HTTP_OUT_OF_MEMORY: cnk_http_fail(failure, CNK_HTTP_NETWORK, "not enough memory"); return;
  case CNK_HTTP_NO_VERDICT: break;
  }
  enum cnk_http_kind kind = kind_of(code, failure->has_written);
  const char *message = has_plain_message(code, kind, failure->message) ? failure->message : "";
  bool is_unreadable =
      code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_BAD_FUNCTION_ARGUMENT || code == CURLE_WEIRD_SERVER_REPLY;
  if (is_unreadable && failure->has_written)
    message = "the answer is not HTTP";
  cnk_http_fail(failure, kind, message[0] ? message : curl_easy_strerror(code));
}
