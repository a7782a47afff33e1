// A guest that runs JavaScript: load takes a script, process calls its function of that name with a text.
#include <stdint.h>
#include <string.h>

#include "quickjs.h"

static JSContext *context;
static JSValue function;
static uint8_t buffer[65536];

__attribute__((export_name("buffer"))) uint8_t *guest_buffer(void) { return buffer; }

__attribute__((export_name("load"))) int guest_load(int size) {
  if (!context) {
    JSRuntime *runtime = JS_NewRuntime();
    JS_SetMaxStackSize(runtime, 200000);
    context = JS_NewContext(runtime);
  }
  JSValue result = JS_Eval(context, (const char *)buffer, size, "guest.js", JS_EVAL_TYPE_GLOBAL);
  if (JS_IsException(result)) return -1;
  JS_FreeValue(context, result);
  JSValue global = JS_GetGlobalObject(context);
  function = JS_GetPropertyStr(context, global, "process");
  JS_FreeValue(context, global);
  return 0;
}

__attribute__((export_name("process"))) int guest_process(int size) {
  JSValue argument = JS_NewStringLen(context, (const char *)buffer, size);
  JSValue result = JS_Call(context, function, JS_UNDEFINED, 1, &argument);
  JS_FreeValue(context, argument);
  size_t length;
  const char *text = JS_ToCStringLen(context, &length, result);
  if (!text || length > sizeof buffer) return -1;
  memcpy(buffer, text, length);
  JS_FreeCString(context, text);
  JS_FreeValue(context, result);
  return (int)length;
}
