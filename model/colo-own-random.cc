/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "colo-own-random.h"

#include "ns3/object-factory.h"

namespace ns3
{

Ptr<RandomVariableStream>
ColoOwnRandom(Ptr<RandomVariableStream> shared)
{
    if (DynamicCast<EmpiricalRandomVariable>(shared) ||
        DynamicCast<DeterministicRandomVariable>(shared))
    {
        return shared;
    }
    ObjectFactory factory;
    factory.SetTypeId(shared->GetInstanceTypeId());
    for (TypeId tid = shared->GetInstanceTypeId(); tid != Object::GetTypeId();
         tid = tid.GetParent())
    {
        for (std::size_t i = 0; i < tid.GetAttributeN(); i++)
        {
            const TypeId::AttributeInformation info = tid.GetAttribute(i);
            Ptr<AttributeValue> value = info.checker->Create();
            shared->GetAttribute(info.name, *value);
            factory.Set(info.name, *value);
        }
    }
    return factory.Create<RandomVariableStream>();
}

} // namespace ns3
