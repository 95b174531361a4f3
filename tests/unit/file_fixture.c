/* See file_fixture.h. */
#include "tests/unit/file_fixture.h"

#include "tests/unit/unit.h"

void file_fixture_start(struct file_fixture *f, const struct source_type *type,
                        const char *text)
{
    fake_init(&f->fake);
    fake_write("map", text);
    f->source = fake_open(&f->fake, type, fake_path("map"), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->source);
    fake_log_clear(f->fake.env.log);
}

void file_fixture_stop(struct file_fixture *f)
{
    f->source->type->close(f->source);
    fake_fini(&f->fake);
}

unsigned file_fixture_warnings(const struct file_fixture *f)
{
    return f->fake.env.log->lines[LOG_LEVEL_WARN];
}

unsigned file_fixture_infos(const struct file_fixture *f)
{
    return f->fake.env.log->lines[LOG_LEVEL_INFO];
}

struct source_status file_fixture_status(const struct file_fixture *f)
{
    struct source_status out;

    f->source->type->status(f->source, &out);
    return out;
}
