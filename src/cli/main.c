#include "base/log.h"

int main(void)
{
    cg_log_error("no commands yet");
    return 2;
}
